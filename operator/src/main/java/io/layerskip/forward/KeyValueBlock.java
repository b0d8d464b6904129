package io.layerskip.forward;

import io.layerskip.model.ModelConfig;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;

/**
 * Keys and values of {@value #TOKENS} consecutive tokens, all layers.
 *
 * <p>Both lie in tiles of {@value #TILE_ROWS} rows: a row of keys is one element of the head's
 * width, its {@value #TOKENS} lanes are tokens; a row of values is one token, its {@value
 * #VALUE_LANES} lanes are elements. Attention adds up multiples of rows, and only loops over whole
 * small arrays, as a tile is one, are compiled to vector instructions by the JVM (JDK 17): where
 * arrays are entered at an offset, it cannot tell that they do not overlap. Blocks are counted: a
 * prompt's may belong to several sequences and the {@link PrefixCache}.
 */
@Internal
public final class KeyValueBlock {

    /**
     * Tokens in a block. In a batch, keys and values of short texts are what memory has to deliver
     * most of, and a row of keys that is half empty costs nearly as much as a full one.
     */
    public static final int TOKENS = 32;

    static final int TILE_ROWS = 4;
    static final int VALUE_LANES = 64;

    private static final int VALUE_QUADS = TOKENS / TILE_ROWS;

    private final int headDim;
    private final int keyValueHeads;
    private final int keyTiles;
    private final int valueParts;
    private final float[][][] keys;
    private final float[][][] values;
    private int owners;

    KeyValueBlock(ModelConfig config) {
        this.headDim = config.headDim();
        this.keyValueHeads = config.numKeyValueHeads();
        this.keyTiles = keyTiles(config);
        this.valueParts = valueParts(config);
        int layers = config.numHiddenLayers();
        this.keys = new float[layers][keyValueHeads * keyTiles][TILE_ROWS * TOKENS];
        this.values =
                new float[layers][keyValueHeads * VALUE_QUADS * valueParts]
                        [TILE_ROWS * VALUE_LANES];
    }

    /** Bytes that a block takes. */
    public static long bytes(ModelConfig config) {
        int lanes = keyTiles(config) * TOKENS + VALUE_QUADS * valueParts(config) * VALUE_LANES;
        return (long) config.numHiddenLayers()
                * config.numKeyValueHeads()
                * TILE_ROWS
                * lanes
                * Float.BYTES;
    }

    private static int keyTiles(ModelConfig config) {
        return (config.headDim() + TILE_ROWS - 1) / TILE_ROWS;
    }

    private static int valueParts(ModelConfig config) {
        return (config.headDim() + VALUE_LANES - 1) / VALUE_LANES;
    }

    /** The tile of a head's keys with the elements [tile x {@value #TILE_ROWS}, ...). */
    float[] keys(int layer, int head, int tile) {
        return keys[layer][head * keyTiles + tile];
    }

    /**
     * The tile of a head's values with the tokens [4 quad, ...) and the elements [64 part, ...).
     */
    float[] values(int layer, int head, int quad, int part) {
        return values[layer][(head * VALUE_QUADS + quad) * valueParts + part];
    }

    /**
     * Writes one token. Those after it in its rows of values become zeros: they are multiplied by
     * zero, which would not make up for what a failed computation may have left.
     *
     * @param slot the token's, in [0, {@value #TOKENS})
     * @param source its keys [key/value heads, head width] and, after them, its values
     * @param from index in {@code source} of the first key
     */
    void store(int layer, int slot, float[] source, int from) {
        int row = slot % TILE_ROWS * VALUE_LANES;
        for (int head = 0; head < keyValueHeads; head++) {
            int key = from + head * headDim;
            for (int d = 0; d < headDim; d += TILE_ROWS) {
                float[] tile = keys(layer, head, d / TILE_ROWS);
                for (int i = 0; i < Math.min(TILE_ROWS, headDim - d); i++) {
                    tile[i * TOKENS + slot] = source[key + d + i];
                }
            }
            int value = key + keyValueHeads * headDim;
            for (int d = 0; d < headDim; d += VALUE_LANES) {
                float[] tile = values(layer, head, slot / TILE_ROWS, d / VALUE_LANES);
                System.arraycopy(source, value + d, tile, row, Math.min(VALUE_LANES, headDim - d));
                Arrays.fill(tile, row + VALUE_LANES, tile.length, 0);
            }
        }
    }

    /** Becomes a copy of another block. */
    void copyFrom(KeyValueBlock other) {
        copy(other.keys, keys);
        copy(other.values, values);
    }

    private static void copy(float[][][] from, float[][][] to) {
        for (int layer = 0; layer < from.length; layer++) {
            for (int tile = 0; tile < from[layer].length; tile++) {
                System.arraycopy(
                        from[layer][tile], 0, to[layer][tile], 0, from[layer][tile].length);
            }
        }
    }

    void retain() {
        owners++;
    }

    /** Gives up one ownership; returns whether it was the last. */
    boolean release() {
        return --owners == 0;
    }
}
