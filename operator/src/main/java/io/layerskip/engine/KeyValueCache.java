package io.layerskip.engine;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtException;
import io.layerskip.model.ModelConfig;
import io.layerskip.model.TensorAllocator;
import java.util.ArrayList;
import java.util.List;

/**
 * Keys and values of one sequence, all layers, shared by draft and verification.
 *
 * <p>Two tensors [1, key/value heads, capacity, head width] a layer, in ONNX Runtime's memory,
 * which grow with the sequence: what a request may write at the most is not what it will. The cache
 * does not know how much of it is valid: a pass is told the position it starts at and overwrites
 * what lies from there on, so rolling back is starting the next pass at an earlier position.
 */
final class KeyValueCache implements AutoCloseable {

    /** Capacities are multiples of it, so that memory freed by one request fits the next. */
    private static final int GRANULARITY = 64;

    private final TensorAllocator allocator;
    private final ModelConfig config;
    private final List<OnnxTensor> keys = new ArrayList<>();
    private final List<OnnxTensor> values = new ArrayList<>();
    private int capacity;

    KeyValueCache(TensorAllocator allocator, ModelConfig config) {
        this.allocator = allocator;
        this.config = config;
    }

    /** Most tokens that there is room for now. */
    int capacity() {
        return capacity;
    }

    /** Room for the keys [1, key/value heads, capacity, head width] of a layer. */
    OnnxTensor key(int layer) {
        return keys.get(layer);
    }

    /** Room for the values, as for the keys. */
    OnnxTensor value(int layer) {
        return values.get(layer);
    }

    /**
     * Makes room for a number of tokens, and some to come, if there is not enough; keeps what is
     * cached.
     *
     * @throws IllegalStateException if there is not enough memory; what is cached is lost then
     */
    void reserve(int tokens) {
        if (tokens <= capacity) {
            return;
        }
        int grown = Math.max(tokens, Math.min(2 * capacity, config.maxPositionEmbeddings()));
        grown = (grown + GRANULARITY - 1) / GRANULARITY * GRANULARITY;
        try {
            for (int layer = 0; layer < config.numHiddenLayers(); layer++) {
                grow(keys, layer, grown);
                grow(values, layer, grown);
            }
        } catch (OrtException e) {
            throw new IllegalStateException(
                    "no memory for a key/value cache of %d tokens: %s"
                            .formatted(grown, e.getMessage()),
                    e);
        }
        capacity = grown;
    }

    private void grow(List<OnnxTensor> tensors, int layer, int grown) throws OrtException {
        int heads = config.numKeyValueHeads();
        if (capacity == 0) {
            tensors.add(allocator.zeros(1, heads, grown, config.headDim()));
            return;
        }
        OnnxTensor smaller = tensors.get(layer);
        tensors.set(
                layer, allocator.extended(smaller, 1, heads, grown - capacity, config.headDim()));
        smaller.close();
    }

    @Override
    public void close() {
        keys.forEach(OnnxTensor::close);
        values.forEach(OnnxTensor::close);
    }
}
