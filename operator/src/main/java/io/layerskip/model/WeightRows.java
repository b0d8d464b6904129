package io.layerskip.model;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.apache.flink.annotation.PublicEvolving;

/** A matrix of a checkpoint, read row by row; a vector is a single row. */
@PublicEvolving
public final class WeightRows {

    private final ByteBuffer rows;
    private final WeightType type;
    private final int width;

    private WeightRows(ByteBuffer rows, WeightType type, int width) {
        this.rows = rows;
        this.type = type;
        this.width = width;
    }

    /**
     * Maps a matrix, or a vector.
     *
     * @throws CheckpointException if it cannot be mapped; 2 GiB are the most that can
     */
    public static WeightRows map(Weight weight) throws CheckpointException {
        Path file = weight.file();
        if (weight.length() > Integer.MAX_VALUE) {
            throw new CheckpointException(
                    "%s: tensor %s has %d bytes, at most %d can be mapped"
                            .formatted(
                                    file.getFileName(),
                                    weight.name(),
                                    weight.length(),
                                    Integer.MAX_VALUE));
        }
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            ByteBuffer rows =
                    channel.map(FileChannel.MapMode.READ_ONLY, weight.offset(), weight.length());
            return new WeightRows(
                    rows.order(ByteOrder.LITTLE_ENDIAN),
                    weight.type(),
                    Math.toIntExact(weight.shape().get(weight.shape().size() - 1)));
        } catch (IOException e) {
            throw new CheckpointException(
                    "%s: tensor %s cannot be mapped: %s".formatted(file, weight.name(), e), e);
        }
    }

    /**
     * Copies some rows of a matrix into memory.
     *
     * @param from the first row
     * @param count of rows; row 0 of the result is {@code from}
     * @throws CheckpointException if they cannot be read, or the file has become too short
     */
    public static WeightRows read(Weight weight, int from, int count) throws CheckpointException {
        int width = Math.toIntExact(weight.shape().get(weight.shape().size() - 1));
        int rowBytes = width * weight.type().bytes();
        ByteBuffer rows = ByteBuffer.allocate(Math.multiplyExact(count, rowBytes));
        long start = weight.offset() + (long) from * rowBytes;
        try (FileChannel channel = FileChannel.open(weight.file(), StandardOpenOption.READ)) {
            if (!FileBytes.read(channel, rows, start)) {
                throw new CheckpointException(
                        "%s: tensor %s ends at byte %d, and the file has become shorter: %d"
                                .formatted(
                                        weight.file(),
                                        weight.name(),
                                        weight.offset() + weight.length(),
                                        channel.size()));
            }
        } catch (CheckpointException e) {
            throw e;
        } catch (IOException e) {
            throw new CheckpointException(
                    "%s: tensor %s cannot be read: %s".formatted(weight.file(), weight.name(), e),
                    e);
        }
        return new WeightRows(rows.flip().order(ByteOrder.LITTLE_ENDIAN), weight.type(), width);
    }

    /**
     * Reads a vector as float32.
     *
     * @throws CheckpointException see {@link #read(Weight, int, int)}
     */
    public static float[] vector(Weight weight) throws CheckpointException {
        WeightRows row = read(weight, 0, 1);
        float[] values = new float[row.width];
        row.read(0, values);
        return values;
    }

    /**
     * Reads a row as float32.
     *
     * @param row in [0, rows)
     * @param target receives [width] floats
     * @param at index in {@code target} of the first
     */
    public void read(int row, FloatBuffer target, int at) {
        int start = row * width * type.bytes();
        for (int i = 0; i < width; i++) {
            target.put(at + i, element(start, i));
        }
    }

    /** Reads a row [width] as float32. */
    public void read(int row, float[] target) {
        int start = row * width * type.bytes();
        // A loop for each type, which the compiler turns into vector instructions.
        switch (type) {
            case F32 -> {
                for (int i = 0; i < width; i++) {
                    target[i] = rows.getFloat(start + 4 * i);
                }
            }
            case F16 -> {
                for (int i = 0; i < width; i++) {
                    target[i] = float16(rows.getShort(start + 2 * i));
                }
            }
            case BF16 -> {
                for (int i = 0; i < width; i++) {
                    target[i] = Float.intBitsToFloat(rows.getShort(start + 2 * i) << 16);
                }
            }
        }
    }

    /** The product of a row and a vector [width], in float32: four sums, added up at the end. */
    public float dot(int row, float[] vector) {
        int start = row * width * type.bytes();
        float sum0 = 0;
        float sum1 = 0;
        float sum2 = 0;
        float sum3 = 0;
        int i = 0;
        for (; i < width - 3; i += 4) {
            sum0 += element(start, i) * vector[i];
            sum1 += element(start, i + 1) * vector[i + 1];
            sum2 += element(start, i + 2) * vector[i + 2];
            sum3 += element(start, i + 3) * vector[i + 3];
        }
        for (; i < width; i++) {
            sum0 += element(start, i) * vector[i];
        }
        return sum0 + sum1 + (sum2 + sum3);
    }

    private float element(int start, int i) {
        return switch (type) {
            case F32 -> rows.getFloat(start + 4 * i);
            case F16 -> float16(rows.getShort(start + 2 * i));
            case BF16 -> Float.intBitsToFloat(rows.getShort(start + 2 * i) << 16);
        };
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
