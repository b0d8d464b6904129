package io.layerskip.model;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import org.apache.flink.annotation.Internal;

/** Reads and writes whole buffers at a position: a single call of a channel may do a part. */
@Internal
public final class FileBytes {

    private FileBytes() {}

    /**
     * Fills what remains of a buffer.
     *
     * @param from position in the file, in bytes
     * @return false if the file ends before the buffer is full
     */
    public static boolean read(FileChannel channel, ByteBuffer buffer, long from)
            throws IOException {
        long position = from;
        while (buffer.hasRemaining()) {
            int read = channel.read(buffer, position);
            if (read < 0) {
                return false;
            }
            position += read;
        }
        return true;
    }

    /**
     * Writes what remains of a buffer.
     *
     * @param at position in the file, in bytes
     */
    public static void write(FileChannel channel, ByteBuffer buffer, long at) throws IOException {
        long position = at;
        while (buffer.hasRemaining()) {
            position += channel.write(buffer, position);
        }
    }
}
