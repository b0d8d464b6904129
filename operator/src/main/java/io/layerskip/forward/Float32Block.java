package io.layerskip.forward;

import io.layerskip.model.ModelConfig;
import java.util.Arrays;

/** Keys and values as they were computed, in the tiles that attention reads. */
final class Float32Block extends KeyValueBlock {

    private final int headDim;
    private final int keyValueHeads;
    private final int valueParts;

    /** [layers x heads][tiles][rows x lanes]. */
    private final float[][][] keys;

    private final float[][][] values;

    Float32Block(ModelConfig config) {
        this.headDim = config.headDim();
        this.keyValueHeads = config.numKeyValueHeads();
        this.valueParts = valueParts(headDim);
        int heads = config.numHiddenLayers() * keyValueHeads;
        this.keys = new float[heads][][];
        this.values = new float[heads][][];
        for (int head = 0; head < heads; head++) {
            keys[head] = keyTiles(headDim);
            values[head] = valueTiles(headDim);
        }
    }

    static long bytes(ModelConfig config) {
        int keyTiles = (config.headDim() + TILE_ROWS - 1) / TILE_ROWS;
        int lanes = keyTiles * TOKENS + VALUE_TILES * valueParts(config.headDim()) * VALUE_LANES;
        return (long) config.numHiddenLayers()
                * config.numKeyValueHeads()
                * TILE_ROWS
                * lanes
                * Float.BYTES;
    }

    @Override
    float[][] keys(int layer, int head, float[][] room) {
        return keys[layer * keyValueHeads + head];
    }

    @Override
    float[][] values(int layer, int head, float[][] room) {
        return values[layer * keyValueHeads + head];
    }

    @Override
    void store(int layer, int slot, float[] source, int from) {
        int row = slot % TILE_ROWS * VALUE_LANES;
        for (int head = 0; head < keyValueHeads; head++) {
            int key = from + head * headDim;
            float[][] keyTiles = keys[layer * keyValueHeads + head];
            for (int d = 0; d < headDim; d++) {
                keyTiles[d / TILE_ROWS][d % TILE_ROWS * TOKENS + slot] = source[key + d];
            }
            int value = key + keyValueHeads * headDim;
            float[][] valueTiles = values[layer * keyValueHeads + head];
            for (int part = 0; part < valueParts; part++) {
                float[] tile = valueTiles[slot / TILE_ROWS * valueParts + part];
                int d = part * VALUE_LANES;
                System.arraycopy(source, value + d, tile, row, Math.min(VALUE_LANES, headDim - d));
                Arrays.fill(tile, row + VALUE_LANES, tile.length, 0);
            }
        }
    }

    @Override
    void copyFrom(KeyValueBlock other) {
        Float32Block block = (Float32Block) other;
        copy(block.keys, keys);
        copy(block.values, values);
    }

    private static void copy(float[][][] from, float[][][] to) {
        for (int head = 0; head < from.length; head++) {
            for (int tile = 0; tile < from[head].length; tile++) {
                System.arraycopy(from[head][tile], 0, to[head][tile], 0, from[head][tile].length);
            }
        }
    }
}
