package io.layerskip.engine;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import io.layerskip.model.ModelSessions;
import io.layerskip.model.ModelSessions.RotaryTables;
import io.layerskip.model.OnnxGraphs;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.IntBuffer;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/** Decoder layers [from, to) as one session. Not thread-safe. */
final class LayerSegment implements AutoCloseable {

    private final int from;
    private final int to;
    private final OrtSession session;
    private final IntBuffer lengths;
    private final OnnxTensor lastPosition;
    private final OnnxTensor totalLength;
    private final Map<String, OnnxTensor> inputs = new HashMap<>();
    private final Map<String, OnnxTensor> outputs = new HashMap<>();

    LayerSegment(
            OrtEnvironment environment,
            ModelSessions sessions,
            RotaryTables rotary,
            int from,
            int to)
            throws OrtException {
        this.from = from;
        this.to = to;
        this.session = sessions.layers(from, to);
        this.lengths =
                ByteBuffer.allocateDirect(2 * Integer.BYTES)
                        .order(ByteOrder.nativeOrder())
                        .asIntBuffer();
        this.lastPosition =
                OnnxTensor.createTensor(environment, lengths.slice(0, 1), new long[] {1});
        this.totalLength = OnnxTensor.createTensor(environment, lengths.slice(1, 1), new long[] {});
        inputs.put(OnnxGraphs.LAST_POSITION, lastPosition);
        inputs.put(OnnxGraphs.TOTAL_SEQUENCE_LENGTH, totalLength);
        inputs.put(OnnxGraphs.COS, rotary.cos());
        inputs.put(OnnxGraphs.SIN, rotary.sin());
    }

    /** The first layer after this segment; hidden states that leave here could exit there. */
    int to() {
        return to;
    }

    /**
     * Runs the layers over rows [row, row + count) and writes their keys and values at positions
     * [position, position + count) of the cache.
     *
     * @param hidden [rows, hidden] that enter the first layer
     * @param target [rows, hidden] that leave the last
     */
    void forward(
            KeyValueCache cache,
            int position,
            TokenRows hidden,
            TokenRows target,
            int row,
            int count)
            throws OrtException {
        int total = position + count;
        if (total > cache.capacity()) {
            throw new IllegalArgumentException(
                    total + " tokens in a cache for " + cache.capacity());
        }
        lengths.put(0, total - 1).put(1, total);
        inputs.put(OnnxGraphs.HIDDEN, hidden.view(row, count));
        outputs.put(OnnxGraphs.HIDDEN_OUT, target.view(row, count));
        for (int layer = from; layer < to; layer++) {
            inputs.put(OnnxGraphs.pastKey(layer), cache.key(layer));
            outputs.put(OnnxGraphs.presentKey(layer), cache.key(layer));
            inputs.put(OnnxGraphs.pastValue(layer), cache.value(layer));
            outputs.put(OnnxGraphs.presentValue(layer), cache.value(layer));
        }
        session.run(inputs, Set.of(), outputs).close();
    }

    @Override
    public void close() throws OrtException {
        session.close();
        lastPosition.close();
        totalLength.close();
    }
}
