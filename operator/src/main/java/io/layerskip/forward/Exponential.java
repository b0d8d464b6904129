package io.layerskip.forward;

/**
 * e^x for x at most 0, to about 2 in 10^7: the polynomial of Cephes' expf (Moshier, 1992), several
 * times as fast as {@link Math#exp}.
 *
 * <p>It is the same, bit by bit, however many are computed at once. The loop over the polynomial is
 * compiled to vector instructions, the one over powers of two is not (JDK 17), so they are two.
 */
final class Exponential {

    /** From here on down 2^k, whose exponent bits are then zeros, makes the result zero. */
    private static final float LEAST_EXPONENT = -88;

    private static final float LOG2_E = 1.44269504f;
    private static final float LN2_HIGH = 0.693359375f;
    private static final float LN2_LOW = -2.12194440e-4f;
    private static final float ROUNDING = 0x1.8p23f;

    private Exponential() {}

    static float of(float x) {
        float atLeast = Math.max(x, LEAST_EXPONENT);
        float power = power(atLeast);
        return mantissa(atLeast, power) * twoTo(power);
    }

    /**
     * Turns scores into weights, e^((score - greatest) x scale).
     *
     * @param powers room for as many
     * @return the sum of the weights, added up in their order
     */
    static float weigh(float[] scores, float greatest, float scale, float[] powers, int count) {
        for (int i = 0; i < count; i++) {
            float x = Math.max((scores[i] - greatest) * scale, LEAST_EXPONENT);
            float power = power(x);
            scores[i] = mantissa(x, power);
            powers[i] = power;
        }
        float sum = 0;
        for (int i = 0; i < count; i++) {
            scores[i] *= twoTo(powers[i]);
            sum += scores[i];
        }
        return sum;
    }

    /** The same in lanes [from, to), each of which has its own greatest score. */
    static void weigh(
            float[] scores, float[] greatest, float scale, float[] powers, int from, int to) {
        for (int i = from; i < to; i++) {
            float x = Math.max((scores[i] - greatest[i]) * scale, LEAST_EXPONENT);
            float power = power(x);
            scores[i] = mantissa(x, power);
            powers[i] = power;
        }
        for (int i = from; i < to; i++) {
            scores[i] *= twoTo(powers[i]);
        }
    }

    /** The nearest power of two; adding and taking away so large a number rounds. */
    private static float power(float x) {
        return x * LOG2_E + ROUNDING - ROUNDING;
    }

    /** e^x over the power of two. */
    private static float mantissa(float x, float power) {
        float rest = x - power * LN2_HIGH - power * LN2_LOW;
        float series = 1.9875691500E-4f;
        series = series * rest + 1.3981999507E-3f;
        series = series * rest + 8.3334519073E-3f;
        series = series * rest + 4.1665795894E-2f;
        series = series * rest + 1.6666665459E-1f;
        series = series * rest + 5.0000001201E-1f;
        return series * rest * rest + rest + 1;
    }

    private static float twoTo(float power) {
        return Float.intBitsToFloat((int) power + 127 << 23);
    }
}
