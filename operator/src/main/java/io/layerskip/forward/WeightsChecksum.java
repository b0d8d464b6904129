package io.layerskip.forward;

import io.layerskip.model.FileBytes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32C;

/**
 * Checksums at the end of a file of weights, which tell damage: of bits, of a part that was never
 * written. They tell no intent.
 *
 * <pre>
 * the weights
 * 4 bytes     CRC-32C of the first 64 MiB of them, little-endian
 * 4 bytes     of the next 64 MiB
 * ...
 * 4 bytes     of the checksums before
 * </pre>
 */
final class WeightsChecksum {

    private static final int PART = 64 << 20;
    private static final int READ_BYTES = 256 << 10;

    /** Processors compute faster than memory is read: a few take it all. */
    private static final int MAX_THREADS = 8;

    private WeightsChecksum() {}

    /** Bytes of a file with so many bytes of weights. */
    static long fileLength(long length) {
        return length + checksumsLength(length);
    }

    private static int checksumsLength(long length) {
        return (Math.toIntExact((length + PART - 1) / PART) + 1) * Integer.BYTES;
    }

    /** Puts checksums after so many bytes of weights. */
    static void append(FileChannel channel, long length, LoadListener listener) throws IOException {
        FileBytes.write(channel, of(channel, length, listener), length);
    }

    /** Whether a file has so many bytes of weights and then their checksums. */
    static boolean matches(FileChannel channel, long length, LoadListener listener)
            throws IOException {
        if (channel.size() != fileLength(length)) {
            return false;
        }
        ByteBuffer written = ByteBuffer.allocate(checksumsLength(length));
        return FileBytes.read(channel, written, length)
                && written.flip().equals(of(channel, length, listener));
    }

    private static ByteBuffer of(FileChannel channel, long length, LoadListener listener)
            throws IOException {
        LoadProgress progress = new LoadProgress(listener, LoadListener.Stage.CHECKING, length);
        ByteBuffer checksums =
                ByteBuffer.allocate(checksumsLength(length)).order(ByteOrder.LITTLE_ENDIAN);
        List<ParallelTasks.Task> tasks = new ArrayList<>();
        for (long from = 0; from < length; from += PART) {
            long start = from;
            int at = Math.toIntExact(from / PART * Integer.BYTES);
            int count = (int) Math.min(PART, length - from);
            tasks.add(
                    () -> {
                        checksums.putInt(at, part(channel, start, count));
                        progress.add(count);
                    });
        }
        ParallelTasks.runOnCores(MAX_THREADS, tasks);
        CRC32C ofChecksums = new CRC32C();
        int last = checksums.capacity() - Integer.BYTES;
        ofChecksums.update(checksums.array(), 0, last);
        return checksums.putInt(last, (int) ofChecksums.getValue());
    }

    private static int part(FileChannel channel, long from, int count) throws IOException {
        CRC32C checksum = new CRC32C();
        ByteBuffer buffer = ByteBuffer.allocate(Math.min(count, READ_BYTES));
        for (int done = 0; done < count; done += buffer.limit()) {
            buffer.clear().limit(Math.min(buffer.capacity(), count - done));
            if (!FileBytes.read(channel, buffer, from + done)) {
                break;
            }
            checksum.update(buffer.flip());
        }
        return (int) checksum.getValue();
    }
}
