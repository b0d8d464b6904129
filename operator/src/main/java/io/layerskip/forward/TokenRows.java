package io.layerskip.forward;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.OptionalInt;
import org.apache.flink.annotation.Internal;

/**
 * A buffer of rows, one a token, that sessions read and write in place: hidden states [rows,
 * hidden], logits [rows, vocab] and what lies between.
 */
@Internal
public final class TokenRows implements AutoCloseable {

    private final int width;
    private final FloatBuffer values;
    private final OnnxTensor[] views;

    public TokenRows(int rows, int width) {
        this.width = width;
        this.values =
                ByteBuffer.allocateDirect(
                                Math.multiplyExact(Float.BYTES, Math.multiplyExact(rows, width)))
                        .order(ByteOrder.nativeOrder())
                        .asFloatBuffer();
        this.views = new OnnxTensor[rows + 1];
    }

    /** All rows one after the other; row r starts at r x width. */
    public FloatBuffer values() {
        return values;
    }

    public int width() {
        return width;
    }

    /** Copies a row out. */
    public void read(int row, float[] target, int at) {
        values.get(row * width, target, at, width);
    }

    /** Copies a row in. */
    public void write(int row, float[] source, int at) {
        values.put(row * width, source, at, width);
    }

    /** Copies a row of a buffer of the same width in. */
    public void write(int row, TokenRows source, int sourceRow) {
        values.put(row * width, source.values, sourceRow * width, width);
    }

    /**
     * Moves rows to the front.
     *
     * @param rows rising
     */
    void select(int[] rows, int count) {
        for (int i = 0; i < count; i++) {
            if (rows[i] != i) {
                write(i, this, rows[i]);
            }
        }
    }

    /**
     * The greatest element of a row, the first of equals; empty if it is no finite number. Of
     * logits, the likeliest token. NaN is passed over unless it is the first element.
     */
    public OptionalInt argmax(int row) {
        int start = row * width;
        int best = 0;
        float greatest = values.get(start);
        for (int i = 1; i < width; i++) {
            float value = values.get(start + i);
            if (value > greatest) {
                greatest = value;
                best = i;
            }
        }
        return Float.isFinite(greatest) ? OptionalInt.of(best) : OptionalInt.empty();
    }

    /** Rows [0, count) as a tensor [1, count, width] over this buffer's memory. */
    OnnxTensor view(int count) {
        if (views[count] == null) {
            try {
                views[count] =
                        OnnxTensor.createTensor(
                                OrtEnvironment.getEnvironment(),
                                values.slice(0, count * width),
                                new long[] {1, count, width});
            } catch (OrtException e) {
                throw new ForwardException("cannot make a tensor: " + e.getMessage(), e);
            }
        }
        return views[count];
    }

    @Override
    public void close() {
        for (OnnxTensor view : views) {
            if (view != null) {
                view.close();
            }
        }
    }
}
