package io.layerskip.engine;

/**
 * Random numbers without a state: the i-th number of a stream is a function of both. The function
 * is SplitMix64's (Steele, Lea and Flood, 2014).
 */
final class SplitMix64 {

    private static final long GOLDEN_GAMMA = 0x9e3779b97f4a7c15L;

    private SplitMix64() {}

    /** Spreads the bits of a number over all 64. */
    static long mix(long number) {
        long mixed = number + GOLDEN_GAMMA;
        mixed = (mixed ^ (mixed >>> 30)) * 0xbf58476d1ce4e5b9L;
        mixed = (mixed ^ (mixed >>> 27)) * 0x94d049bb133111ebL;
        return mixed ^ (mixed >>> 31);
    }

    /** The {@code index}-th number of a stream, uniform in (0, 1). */
    static double uniform(long stream, int index) {
        long mixed = mix(stream + index * GOLDEN_GAMMA);
        return ((mixed >>> 11) + 0.5) * 0x1p-53;
    }
}
