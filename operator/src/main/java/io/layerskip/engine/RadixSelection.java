package io.layerskip.engine;

import java.util.Arrays;

/** Finds the k-th greatest of many floats in two passes, whatever k is: a radix selection. */
final class RadixSelection {

    private static final int HALF = 16;
    private static final int MASK = (1 << HALF) - 1;

    private final int[] counts = new int[1 << HALF];

    /**
     * @param values no NaN among them
     * @param k in [1, values.length]
     */
    float greatest(float[] values, int k) {
        Arrays.fill(counts, 0);
        for (float value : values) {
            counts[key(value) >>> HALF]++;
        }
        int upper = MASK;
        int rank = k;
        while (counts[upper] < rank) {
            rank -= counts[upper--];
        }
        Arrays.fill(counts, 0);
        for (float value : values) {
            int key = key(value);
            if (key >>> HALF == upper) {
                counts[key & MASK]++;
            }
        }
        int lower = MASK;
        while (counts[lower] < rank) {
            rank -= counts[lower--];
        }
        return value(upper << HALF | lower);
    }

    /** Bits that, without a sign, order as the floats do. */
    private static int key(float value) {
        int bits = Float.floatToRawIntBits(value);
        return bits ^ (bits >> 31 | Integer.MIN_VALUE);
    }

    private static float value(int key) {
        return Float.intBitsToFloat(key < 0 ? key ^ Integer.MIN_VALUE : ~key);
    }
}
