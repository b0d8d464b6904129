package io.layerskip.engine;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;

/**
 * A buffer of rows, one a token, that sessions read and write in place: hidden states [rows,
 * hidden], logits [rows, vocab] and what lies between.
 */
final class TokenRows implements AutoCloseable {

    private final OrtEnvironment environment;
    private final int width;
    private final FloatBuffer values;
    private final OnnxTensor[] views;

    TokenRows(OrtEnvironment environment, int rows, int width) {
        this.environment = environment;
        this.width = width;
        this.values =
                ByteBuffer.allocateDirect(
                                Math.multiplyExact(Float.BYTES, Math.multiplyExact(rows, width)))
                        .order(ByteOrder.nativeOrder())
                        .asFloatBuffer();
        this.views = new OnnxTensor[rows + 1];
    }

    /** All rows one after the other; row r starts at r x width. */
    FloatBuffer values() {
        return values;
    }

    int width() {
        return width;
    }

    /** Copies a row out. */
    void read(int row, float[] target, int at) {
        values.get(row * width, target, at, width);
    }

    /** Copies a row in. */
    void write(int row, float[] source, int at) {
        values.put(row * width, source, at, width);
    }

    /** Copies a row of a buffer of the same width in. */
    void write(int row, TokenRows source, int sourceRow) {
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

    /** Rows [0, count) as a tensor [1, count, width] over this buffer's memory. */
    OnnxTensor view(int count) throws OrtException {
        OnnxTensor view = views[count];
        if (view == null) {
            view =
                    OnnxTensor.createTensor(
                            environment,
                            values.slice(0, count * width),
                            new long[] {1, count, width});
            views[count] = view;
        }
        return view;
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
