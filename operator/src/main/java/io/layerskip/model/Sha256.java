package io.layerskip.model;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import org.apache.flink.annotation.Internal;

/** A SHA-256 hash of texts, bytes and parts of files. Not thread-safe. */
@Internal
public final class Sha256 {

    private static final int READ_BYTES = 1 << 20;

    private final MessageDigest digest;

    public Sha256() {
        try {
            digest = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }

    /** Adds a text, in UTF-8, its length first. */
    public Sha256 update(String text) {
        return update(text.getBytes(StandardCharsets.UTF_8));
    }

    /** Adds bytes, their number first: what comes next cannot be taken for a part of them. */
    public Sha256 update(byte[] bytes) {
        digest.update(ByteBuffer.allocate(Integer.BYTES).putInt(bytes.length).flip());
        digest.update(bytes);
        return this;
    }

    /**
     * Adds a part of a file, or as much of it as there is.
     *
     * @param offset in bytes
     * @param length in bytes
     * @throws IOException if the file cannot be read
     */
    public Sha256 update(Path file, long offset, long length) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            ByteBuffer buffer = ByteBuffer.allocate((int) Math.min(length, READ_BYTES));
            long end = Math.min(offset + length, channel.size());
            for (long at = offset; at < end; ) {
                buffer.clear().limit((int) Math.min(buffer.capacity(), end - at));
                int read = channel.read(buffer, at);
                if (read < 0) {
                    break;
                }
                digest.update(buffer.flip());
                at += read;
            }
        }
        return this;
    }

    /** The hash of all that was added, as 64 hexadecimal digits; starts again. */
    public String hex() {
        return HexFormat.of().formatHex(digest.digest());
    }
}
