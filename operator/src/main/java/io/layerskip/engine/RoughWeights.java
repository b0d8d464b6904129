package io.layerskip.engine;

import java.util.OptionalInt;

/**
 * Stand-ins for the probabilities of a large vocabulary, fast and rough, and the draws that they
 * settle all the same: those in which no rounding could make another token win.
 */
final class RoughWeights {

    /**
     * Most that quotients and sums of weights differ from those of the probabilities, relatively.
     * Probabilities are rounded to float three times, by 2^-24 each; weights are good to 2^-27.
     */
    static final double ERROR = 0x1p-20;

    /** Logits that are further below the greatest are taken for this; their weights are wrong. */
    private static final double LEAST_EXPONENT = -45;

    /** Above e^-45. */
    private static final double LEAST_RIGHT = 0x1p-64;

    /** What a power is raised to at the end. */
    private static final int POWER = 512;

    /** More than {@link #ERROR}; so much as to make up for roundings on the way as well. */
    private static final double SLACK = 1 + 0x1p-16;

    private static final int BLOCK = 256;

    private final int vocabSize;

    /** Whole blocks; beyond the vocabulary they are 0. */
    private final double[] weights;

    private final double[] massOfBlock;
    private final RoughNucleus nucleus = new RoughNucleus();
    private double mass;
    private boolean cut;

    RoughWeights(int vocabSize) {
        int blocks = (vocabSize + BLOCK - 1) / BLOCK;
        this.vocabSize = vocabSize;
        this.weights = new double[blocks * BLOCK];
        this.massOfBlock = new double[blocks];
    }

    /**
     * Takes the weights that logits give; the greatest is 1.
     *
     * @param logits [vocab]
     * @param greatest of the logits, finite
     */
    void set(float[] logits, double greatest, Sampling sampling) {
        double scale = Math.min(1 / sampling.temperature(), Double.MAX_VALUE);
        mass = 0;
        for (int block = 0; block < massOfBlock.length; block++) {
            int from = block * BLOCK;
            int to = Math.min(from + BLOCK, vocabSize);
            for (int token = from; token < to; token++) {
                weights[token] = logits[token] - greatest;
            }
            replaceByExponentials(from, to, scale);
            massOfBlock[block] = massFrom(from);
            mass += massOfBlock[block];
        }
        cut = sampling.topP() < 1;
        if (cut) {
            nucleus.set(weights, vocabSize, sampling.topP() * mass);
        }
    }

    /** The greatest probability, to a thousandth of it. */
    double confidence() {
        return 1 / (cut ? nucleus.mass() : mass);
    }

    /**
     * The token that wins the race, if that is beyond doubt: surely in the nucleus, and with nobody
     * close behind.
     */
    OptionalInt winner(long stream) {
        double leastWeight = cut ? nucleus.leastWeight() : 0;
        int winner = -1;
        double first = Double.POSITIVE_INFINITY;
        double second = Double.POSITIVE_INFINITY;
        for (int block = 0; block < massOfBlock.length; block++) {
            double mostWeight = massOfBlock[block];
            if (mostWeight < leastWeight) {
                continue;
            }
            int from = block * BLOCK;
            int to = Math.min(from + BLOCK, vocabSize);
            int token = SplitMix64.indexOfAtLeast(leastBits(first, mostWeight), stream, from, to);
            while (token < to) {
                double weight = weights[token];
                long bits = SplitMix64.bits(stream, token);
                if (weight >= leastWeight && bits >= leastBits(first, weight)) {
                    double time = -Math.log(SplitMix64.uniform(bits)) / weight;
                    if (time < first) {
                        second = first;
                        first = time;
                        winner = token;
                    } else if (time < second) {
                        second = time;
                    }
                }
                token =
                        SplitMix64.indexOfAtLeast(
                                leastBits(first, mostWeight), stream, token + 1, to);
            }
        }
        boolean settled = second >= first * (1 + ERROR) && isRight(weights[winner]);
        return settled ? OptionalInt.of(winner) : OptionalInt.empty();
    }

    /**
     * Least u, as bits, with which a weight arrives before the time or close behind. As -ln(u) is
     * at least 1 - u, nearly all tokens have lost before a logarithm is taken.
     */
    private static long leastBits(double time, double weight) {
        double latest = time * weight * SLACK * SplitMix64.MAX_BITS;
        return SplitMix64.MAX_BITS - (long) Math.min(latest, SplitMix64.MAX_BITS);
    }

    /**
     * Whether the probability of a winner is known well enough. A weight that is wrong hides no
     * other winner: the greatest weight arrives at -ln(2^-54) = 37 or earlier, a wrong one at 2^-52
     * e^45 = 7,757 or later, or at 0, where u is 1, and then it wins here.
     */
    private boolean isRight(double weight) {
        return weight > LEAST_RIGHT && (!cut || nucleus.surelyHolds(weight));
    }

    private double massFrom(int from) {
        // Four sums side by side take a third of one sum's time.
        double a = 0;
        double b = 0;
        double c = 0;
        double d = 0;
        for (int token = from; token < from + BLOCK; token += 4) {
            a += weights[token];
            b += weights[token + 1];
            c += weights[token + 2];
            d += weights[token + 3];
        }
        return a + b + c + d;
    }

    /**
     * Turns x into e^(x scale), by Taylor's series for (x scale / 512), raised to the 512th power:
     * without a branch or a table, so that one instruction serves many x.
     */
    private void replaceByExponentials(int from, int to, double scale) {
        double partOfScale = scale / POWER;
        double least = LEAST_EXPONENT / POWER;
        for (int token = from; token < to; token++) {
            double x = Math.max(weights[token] * partOfScale, least);
            double series = x * (1 / 120. + x * (1 / 720.));
            series = 1 + x * (1 + x * (1 / 2. + x * (1 / 6. + x * (1 / 24. + series))));
            weights[token] = toThe8th(toThe8th(toThe8th(series)));
        }
    }

    private static double toThe8th(double x) {
        double square = x * x;
        double toThe4th = square * square;
        return toThe4th * toThe4th;
    }
}
