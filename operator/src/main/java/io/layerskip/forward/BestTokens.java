package io.layerskip.forward;

import java.util.Arrays;

/** The tokens with the greatest scores of those offered. Not thread-safe. */
final class BestTokens {

    private final int most;

    /** Scores, whose bits order as they do, and in the lower half their tokens. */
    private final long[] found;

    private int count;
    private float least;

    /**
     * @param most how many are kept
     */
    BestTokens(int most) {
        this.most = most;
        this.found = new long[2 * most];
    }

    void clear() {
        count = 0;
        least = Float.NEGATIVE_INFINITY;
    }

    /** Offers a token; one without a score, NaN, is none of the best. */
    void offer(int token, float score) {
        if (score > least) {
            int ordered = ordered(Float.floatToRawIntBits(score));
            found[count++] = (long) ordered << Integer.SIZE | token;
            if (count == found.length) {
                cut();
            }
        }
    }

    /** Leaves no more than the best, in no order. */
    void finish() {
        if (count > most) {
            cut();
        }
    }

    int count() {
        return count;
    }

    int token(int index) {
        return (int) found[index];
    }

    private void cut() {
        Arrays.sort(found, 0, count);
        System.arraycopy(found, count - most, found, 0, most);
        count = most;
        least = Float.intBitsToFloat(ordered((int) (found[0] >> Integer.SIZE)));
    }

    /** Bits of a float that order as floats do, and back. */
    private static int ordered(int bits) {
        return bits ^ bits >> 31 & Integer.MAX_VALUE;
    }
}
