package io.layerskip.model;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * The token embedding [vocab, hidden], read row by row from the mapped checkpoint.
 *
 * <p>No session holds it: looking a row up is a copy, and only the pages of tokens that occur are
 * ever in memory.
 */
public final class EmbeddingTable {

    private final ByteBuffer rows;
    private final WeightType type;
    private final int hiddenSize;

    private EmbeddingTable(ByteBuffer rows, WeightType type, int hiddenSize) {
        this.rows = rows;
        this.type = type;
        this.hiddenSize = hiddenSize;
    }

    /**
     * Maps the embedding.
     *
     * @throws CheckpointException if it cannot be mapped; 2 GiB are the most that can
     */
    static EmbeddingTable map(Weight embedding) throws CheckpointException {
        Path file = embedding.file();
        if (embedding.length() > Integer.MAX_VALUE) {
            throw new CheckpointException(
                    "%s: tensor %s has %d bytes, at most %d can be mapped"
                            .formatted(
                                    file.getFileName(),
                                    embedding.name(),
                                    embedding.length(),
                                    Integer.MAX_VALUE));
        }
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            ByteBuffer rows =
                    channel.map(
                            FileChannel.MapMode.READ_ONLY, embedding.offset(), embedding.length());
            return new EmbeddingTable(
                    rows.order(ByteOrder.LITTLE_ENDIAN),
                    embedding.type(),
                    Math.toIntExact(embedding.shape().get(1)));
        } catch (IOException e) {
            throw new CheckpointException(
                    "%s: tensor %s cannot be mapped: %s".formatted(file, embedding.name(), e), e);
        }
    }

    /**
     * Writes a token's embedding.
     *
     * @param token in [0, vocab)
     * @param target receives [hidden] floats
     * @param at index in {@code target} of the first
     */
    public void lookup(int token, FloatBuffer target, int at) {
        int row = token * hiddenSize * type.bytes();
        for (int i = 0; i < hiddenSize; i++) {
            target.put(
                    at + i,
                    switch (type) {
                        case F32 -> rows.getFloat(row + 4 * i);
                        case F16 -> float16(rows.getShort(row + 2 * i));
                        case BF16 -> Float.intBitsToFloat(rows.getShort(row + 2 * i) << 16);
                    });
        }
    }

    /** IEEE 754 binary16 to float32, exactly. */
    static float float16(short bits) {
        int sign = (bits & 0x8000) << 16;
        int exponent = (bits >> 10) & 0x1f;
        int fraction = bits & 0x3ff;
        if (exponent == 0) {
            float magnitude = fraction * 0x1p-24f;
            return sign == 0 ? magnitude : -magnitude;
        }
        int widened = exponent == 0x1f ? 0xff : exponent + 127 - 15;
        return Float.intBitsToFloat(sign | widened << 23 | fraction << 13);
    }
}
