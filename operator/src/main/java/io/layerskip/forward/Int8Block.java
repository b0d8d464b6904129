package io.layerskip.forward;

import io.layerskip.model.ModelConfig;
import java.util.Arrays;

/**
 * Keys and values in 8 bits, with one scale for each token's key and one for its value in each
 * head: the greatest of its elements is 127 scales. A quarter of the bytes, and what an element
 * loses is at most half a scale. A token's do not depend on any other token.
 */
final class Int8Block extends KeyValueBlock {

    private static final int GREATEST = Byte.MAX_VALUE;

    private final int headDim;
    private final int keyValueHeads;
    private final int valueParts;

    /** [layers][heads x elements x tokens]. */
    private final byte[][] keys;

    /** [layers][heads x tokens x elements]. */
    private final byte[][] values;

    /** [layers][heads x tokens]. */
    private final float[][] keyScales;

    private final float[][] valueScales;

    Int8Block(ModelConfig config) {
        this.headDim = config.headDim();
        this.keyValueHeads = config.numKeyValueHeads();
        this.valueParts = valueParts(headDim);
        int layers = config.numHiddenLayers();
        this.keys = new byte[layers][keyValueHeads * headDim * TOKENS];
        this.values = new byte[layers][keyValueHeads * headDim * TOKENS];
        this.keyScales = new float[layers][keyValueHeads * TOKENS];
        this.valueScales = new float[layers][keyValueHeads * TOKENS];
    }

    static long bytes(ModelConfig config) {
        return (long) config.numHiddenLayers()
                * config.numKeyValueHeads()
                * TOKENS
                * 2
                * (config.headDim() + Float.BYTES);
    }

    @Override
    float[][] keys(int layer, int head, float[][] room) {
        byte[] from = keys[layer];
        float[] scales = keyScales[layer];
        int at = head * headDim * TOKENS;
        for (int d = 0; d < headDim; d++, at += TOKENS) {
            float[] tile = room[d / TILE_ROWS];
            int row = d % TILE_ROWS * TOKENS;
            for (int slot = 0; slot < TOKENS; slot++) {
                tile[row + slot] = from[at + slot] * scales[head * TOKENS + slot];
            }
        }
        return room;
    }

    @Override
    float[][] values(int layer, int head, float[][] room) {
        byte[] from = values[layer];
        int at = head * TOKENS * headDim;
        for (int slot = 0; slot < TOKENS; slot++) {
            float scale = valueScales[layer][head * TOKENS + slot];
            int row = slot % TILE_ROWS * VALUE_LANES;
            for (int part = 0; part < valueParts; part++) {
                float[] tile = room[slot / TILE_ROWS * valueParts + part];
                int lanes = Math.min(VALUE_LANES, headDim - part * VALUE_LANES);
                for (int d = 0; d < lanes; d++) {
                    tile[row + d] = from[at + d] * scale;
                }
                at += lanes;
            }
        }
        return room;
    }

    @Override
    void store(int layer, int slot, float[] source, int from) {
        for (int head = 0; head < keyValueHeads; head++) {
            int key = from + head * headDim;
            int at = head * headDim * TOKENS;
            keyScales[layer][head * TOKENS + slot] =
                    quantize(source, key, keys[layer], at + slot, TOKENS);
            int value = key + keyValueHeads * headDim;
            valueScales[layer][head * TOKENS + slot] =
                    quantize(source, value, values[layer], at + slot * headDim, 1);
            int next = head * TOKENS + slot + 1;
            Arrays.fill(valueScales[layer], next, next + (TILE_ROWS - 1 - slot % TILE_ROWS), 0);
        }
    }

    /** Returns the scale; it is NaN where an element is no finite number, so the loss shows. */
    private float quantize(float[] source, int from, byte[] target, int at, int step) {
        float greatest = 0;
        for (int d = 0; d < headDim; d++) {
            greatest = Math.max(greatest, Math.abs(source[from + d]));
        }
        if (!Float.isFinite(greatest)) {
            return Float.NaN;
        }
        float inverse = greatest > 0 ? GREATEST / greatest : 0;
        // The inverse of a tiny number is infinite.
        float factor = Float.isFinite(inverse) ? inverse : 0;
        for (int d = 0; d < headDim; d++) {
            target[at + d * step] = (byte) Math.rint(source[from + d] * factor);
        }
        return greatest / GREATEST;
    }

    @Override
    void copyFrom(KeyValueBlock other) {
        Int8Block block = (Int8Block) other;
        for (int layer = 0; layer < keys.length; layer++) {
            System.arraycopy(block.keys[layer], 0, keys[layer], 0, keys[layer].length);
            System.arraycopy(block.values[layer], 0, values[layer], 0, values[layer].length);
            System.arraycopy(
                    block.keyScales[layer], 0, keyScales[layer], 0, keyScales[layer].length);
            System.arraycopy(
                    block.valueScales[layer], 0, valueScales[layer], 0, valueScales[layer].length);
        }
    }
}
