package io.layerskip.engine;

/**
 * Random numbers without a state: the i-th number of a stream is a function of both. The function
 * is SplitMix64's (Steele, Lea and Flood, 2014).
 */
final class SplitMix64 {

    /** The greatest number of a stream: 53 bits. */
    static final long MAX_BITS = (1L << 53) - 1;

    private static final long GOLDEN_GAMMA = 0x9e3779b97f4a7c15L;

    private SplitMix64() {}

    /** Spreads the bits of a number over all 64. */
    static long mix(long number) {
        return finish(number + GOLDEN_GAMMA);
    }

    /** The {@code index}-th number of a stream, from 0 to {@link #MAX_BITS}. */
    static long bits(long stream, int index) {
        return finish(stream + (index + 1) * GOLDEN_GAMMA) >>> 11;
    }

    /**
     * The first index from {@code from} on whose number is at least this; {@code to} if none is.
     */
    static int indexOfAtLeast(long least, long stream, int from, int to) {
        long state = stream + from * GOLDEN_GAMMA;
        for (int index = from; index < to; index++) {
            state += GOLDEN_GAMMA;
            if (finish(state) >>> 11 >= least) {
                return index;
            }
        }
        return to;
    }

    /** A number of a stream as a fraction of all that it can be, in (0, 1]. */
    static double uniform(long bits) {
        return (bits + 0.5) * 0x1p-53;
    }

    private static long finish(long state) {
        long mixed = (state ^ (state >>> 30)) * 0xbf58476d1ce4e5b9L;
        mixed = (mixed ^ (mixed >>> 27)) * 0x94d049bb133111ebL;
        return mixed ^ (mixed >>> 31);
    }
}
