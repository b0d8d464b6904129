package io.layerskip.forward;

import java.util.SplittableRandom;

/**
 * A rotation that spreads what few elements of a vector hold over all of them: random signs, then
 * the Walsh-Hadamard transform of each block of the largest power of two that divides the width.
 * Products of two vectors that are both rotated are the width of a block times what they were.
 */
final class SignRotation {

    /** The same for everyone: codes are kept in files. */
    private static final long SEED = 1;

    private final float[] signs;
    private final int block;

    SignRotation(int width) {
        SplittableRandom random = new SplittableRandom(SEED);
        this.signs = new float[width];
        for (int i = 0; i < width; i++) {
            signs[i] = random.nextBoolean() ? 1 : -1;
        }
        this.block = Integer.lowestOneBit(width);
    }

    /** Rotates a vector [width] in place. */
    void rotate(float[] vector) {
        for (int i = 0; i < vector.length; i++) {
            vector[i] *= signs[i];
        }
        for (int half = 1; half < block; half *= 2) {
            for (int from = 0; from < vector.length; from += 2 * half) {
                for (int i = from; i < from + half; i++) {
                    float first = vector[i];
                    float second = vector[i + half];
                    vector[i] = first + second;
                    vector[i + half] = first - second;
                }
            }
        }
    }
}
