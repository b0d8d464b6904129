package io.layerskip.forward;

import java.nio.ByteBuffer;

/**
 * One output's weights in signed bytes, of which two neighbours of one sign are at most {@value
 * #GREATEST_PAIR} together.
 *
 * <p>Without VNNI instructions, a processor adds two neighbouring products in 16 bits (VPMADDUBSW)
 * and cuts off what does not fit. Activations are unsigned bytes, so with such weights a sum is at
 * most 255 x 128, which fits: integers, and so texts, are the same on all processors.
 */
final class BytePairs {

    private static final int GREATEST = Byte.MAX_VALUE;
    private static final int GREATEST_PAIR = 128;

    /** Scales that are compared. */
    private static final int SCALES = 32;

    private BytePairs() {}

    /**
     * Writes a byte for each weight: w = byte x scale.
     *
     * @param row finite numbers
     * @return the scale
     */
    static float write(float[] row, ByteBuffer bytes) {
        float scale = scale(row);
        int paired = row.length / 2 * 2;
        for (int i = 0; i < paired; i += 2) {
            int first = round(row[i], scale);
            int second = round(row[i + 1], scale);
            if (Math.abs(first + second) > GREATEST_PAIR) {
                // The nearest two of that sum.
                int sum = Integer.signum(first) * GREATEST_PAIR;
                first = (sum + round(row[i] - row[i + 1], scale)) / 2;
                second = sum - first;
            }
            bytes.put((byte) first).put((byte) second);
        }
        for (int i = paired; i < row.length; i++) {
            bytes.put((byte) round(row[i], scale));
        }
        return scale;
    }

    private static int round(float weight, float scale) {
        return scale == 0 ? 0 : Math.round(weight / scale);
    }

    /**
     * The scale of the least squared error. The greater it is, the more coarsely are all weights
     * rounded; the smaller it is, the more is cut off from pairs.
     */
    private static float scale(float[] row) {
        float greatest = 0;
        for (float weight : row) {
            greatest = Math.max(greatest, Math.abs(weight));
        }
        float least = greatest / GREATEST;
        float[] largePairs = new float[row.length / 2];
        int count = 0;
        float most = least;
        for (int i = 0; i < largePairs.length; i++) {
            float pair = Math.abs(row[2 * i] + row[2 * i + 1]);
            if (pair > GREATEST_PAIR * least) {
                largePairs[count++] = pair;
                most = Math.max(most, pair / GREATEST_PAIR);
            }
        }
        float best = most;
        double leastError = error(row.length, largePairs, count, most);
        for (int i = 0; i < SCALES - 1; i++) {
            float scale = least + (most - least) * i / (SCALES - 1);
            double error = error(row.length, largePairs, count, scale);
            if (error < leastError) {
                leastError = error;
                best = scale;
            }
        }
        // Weights of less are zeros: their quotients would not be bytes.
        return best < Float.MIN_NORMAL ? 0 : best;
    }

    /**
     * What is expected of rounding, the twelfth of a squared step each, and what is cut off, half
     * from each weight of a pair.
     */
    private static double error(int weights, float[] largePairs, int count, float scale) {
        double error = (double) weights * scale * scale / 12;
        for (int i = 0; i < count; i++) {
            double excess = Math.max(0, largePairs[i] - GREATEST_PAIR * scale);
            error += excess * excess / 2;
        }
        return error;
    }
}
