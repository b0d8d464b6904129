package io.layerskip.engine;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;

/**
 * A buffer of rows, one a token, that sessions read and write in place: hidden states [rows,
 * hidden] or logits [rows, vocab].
 */
final class TokenRows implements AutoCloseable {

    private final OrtEnvironment environment;
    private final int rows;
    private final int width;
    private final FloatBuffer values;
    private final OnnxTensor[] views;

    TokenRows(OrtEnvironment environment, int rows, int width) {
        this.environment = environment;
        this.rows = rows;
        this.width = width;
        this.values =
                ByteBuffer.allocateDirect(
                                Math.multiplyExact(Float.BYTES, Math.multiplyExact(rows, width)))
                        .order(ByteOrder.nativeOrder())
                        .asFloatBuffer();
        this.views = new OnnxTensor[rows * (rows + 1)];
    }

    /** All rows one after the other; row r starts at r x width. */
    FloatBuffer values() {
        return values;
    }

    int width() {
        return width;
    }

    /** Rows [from, from + count) as a tensor [1, count, width] over this buffer's memory. */
    OnnxTensor view(int from, int count) throws OrtException {
        int index = from * (rows + 1) + count;
        OnnxTensor view = views[index];
        if (view == null) {
            view =
                    OnnxTensor.createTensor(
                            environment,
                            values.slice(from * width, count * width),
                            new long[] {1, count, width});
            views[index] = view;
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
