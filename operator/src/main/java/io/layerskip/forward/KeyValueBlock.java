package io.layerskip.forward;

import org.apache.flink.annotation.Internal;

/**
 * Keys and values of {@value #TOKENS} consecutive tokens, all layers.
 *
 * <p>Attention reads both in tiles of {@value #TILE_ROWS} rows: a row of keys is one element of the
 * head's width, its {@value #TOKENS} lanes are tokens; a row of values is one token, its {@value
 * #VALUE_LANES} lanes are elements. Attention adds up multiples of rows, and only loops over whole
 * small arrays, as a tile is one, are compiled to vector instructions by the JVM (JDK 17): where
 * arrays are entered at an offset, it cannot tell that they do not overlap. Blocks are counted: a
 * prompt's may belong to several sequences and the {@link PrefixCache}.
 */
@Internal
public abstract sealed class KeyValueBlock permits Float32Block, Int8Block {

    /**
     * Tokens in a block. In a batch, keys and values of short texts are what memory has to deliver
     * most of, and a row of keys that is half empty costs nearly as much as a full one.
     */
    public static final int TOKENS = 32;

    static final int TILE_ROWS = 8;
    static final int VALUE_LANES = 64;

    /** Tiles of values one below the other. */
    static final int VALUE_TILES = TOKENS / TILE_ROWS;

    private int owners;

    /** Empty tiles for one head's keys, [tiles][rows x tokens]. */
    static float[][] keyTiles(int headDim) {
        return new float[(headDim + TILE_ROWS - 1) / TILE_ROWS][TILE_ROWS * TOKENS];
    }

    /** Empty tiles for one head's values, [tiles x parts of the width][rows x lanes]. */
    static float[][] valueTiles(int headDim) {
        return new float[VALUE_TILES * valueParts(headDim)][TILE_ROWS * VALUE_LANES];
    }

    static int valueParts(int headDim) {
        return (headDim + VALUE_LANES - 1) / VALUE_LANES;
    }

    /**
     * One head's keys: tile i holds the elements [i x {@value #TILE_ROWS}, ...).
     *
     * @param room for them, if they are not kept like that
     */
    abstract float[][] keys(int layer, int head, float[][] room);

    /**
     * One head's values: tile i holds the tokens [i / parts x {@value #TILE_ROWS}, ...) and the
     * elements [i % parts x {@value #VALUE_LANES}, ...).
     *
     * @param room for them, if they are not kept like that
     */
    abstract float[][] values(int layer, int head, float[][] room);

    /**
     * Writes one token. Those after it in its tile of values become zeros: they are multiplied by
     * zero, which would not make up for what a failed computation may have left.
     *
     * @param slot the token's, in [0, {@value #TOKENS})
     * @param source its keys [key/value heads, head width] and, after them, its values
     * @param from index in {@code source} of the first key
     */
    abstract void store(int layer, int slot, float[] source, int from);

    /** Becomes a copy of another block of the same type. */
    abstract void copyFrom(KeyValueBlock other);

    void retain() {
        owners++;
    }

    /** Gives up one ownership; returns whether it was the last. */
    boolean release() {
        return --owners == 0;
    }
}
