package io.layerskip.engine;

import io.layerskip.forward.TokenRows;
import java.util.Arrays;
import java.util.PriorityQueue;

/**
 * Probabilities of the next token, [vocab]: softmax of the logits over the temperature, cut by
 * top-k and then top-p, as Hugging Face's logits warpers do in that order. A buffer that is filled
 * again for every token.
 */
final class TokenDistribution {

    private static final float NEGLIGIBLE = -20;

    private final float[] probabilities;
    private final long[] candidates;

    TokenDistribution(int vocabSize) {
        this.probabilities = new float[vocabSize];
        this.candidates = new long[vocabSize];
    }

    /**
     * Takes the distribution that row {@code row} of the logits gives.
     *
     * @throws ArithmeticException if the logits are no numbers
     */
    void set(TokenRows logits, int row, Sampling sampling) {
        logits.values().get(row * logits.width(), probabilities);
        double threshold = topKThreshold(sampling.topK());
        double greatest = Double.NEGATIVE_INFINITY;
        for (float logit : probabilities) {
            greatest = Math.max(greatest, logit);
        }
        for (int token = 0; token < probabilities.length; token++) {
            double logit = probabilities[token];
            probabilities[token] =
                    logit < threshold
                            ? 0
                            : (float) Math.exp((logit - greatest) / sampling.temperature());
        }
        normalise();
        if (sampling.topP() < 1) {
            cutToNucleus(sampling.topP());
            normalise();
        }
    }

    float probability(int token) {
        return probabilities[token];
    }

    /** The greatest probability. */
    double confidence() {
        float greatest = 0;
        for (float probability : probabilities) {
            greatest = Math.max(greatest, probability);
        }
        return greatest;
    }

    /**
     * Draws a token by a race: the token with the least -ln(u) / probability wins, u a uniform
     * number that belongs to the seed, the position and the token. The winner has the token's
     * probability (the exponential race, or Gumbel-max trick).
     *
     * <p>Two distributions that draw with the same seed and position share the u, so the closer
     * they are, the more often they draw the same token: at least (1 - d) / (1 + d) of the time for
     * a total variation distance d (Daliri, Musco and Suresh, Coupling without Communication and
     * Drafter-Invariant Speculative Decoding, 2024, theorem 1).
     */
    int sample(long seed, int position) {
        long stream = SplitMix64.mix(seed + SplitMix64.mix(position));
        int winner = -1;
        double least = Double.POSITIVE_INFINITY;
        for (int token = 0; token < probabilities.length; token++) {
            if (probabilities[token] > 0) {
                double time = -Math.log(SplitMix64.uniform(stream, token)) / probabilities[token];
                if (time < least) {
                    least = time;
                    winner = token;
                }
            }
        }
        return winner;
    }

    /** The probability of the likeliest token at temperature 1. */
    static double confidence(TokenRows logits, int row) {
        var values = logits.values();
        int start = row * logits.width();
        float greatest = values.get(start + logits.argmax(row).orElseThrow());
        double sum = 0;
        for (int token = 0; token < logits.width(); token++) {
            float below = values.get(start + token) - greatest;
            // What lies further below does not show in the sum, and exponentials take time.
            if (below > NEGLIGIBLE) {
                sum += Math.exp(below);
            }
        }
        return 1 / sum;
    }

    /** The k-th greatest logit; equals of it are kept, as torch.topk's threshold keeps them. */
    private double topKThreshold(int k) {
        if (k == 0 || k >= probabilities.length) {
            return Double.NEGATIVE_INFINITY;
        }
        PriorityQueue<Float> greatest = new PriorityQueue<>(k);
        for (float logit : probabilities) {
            if (greatest.size() < k) {
                greatest.add(logit);
            } else if (logit > greatest.peek()) {
                greatest.poll();
                greatest.add(logit);
            }
        }
        return greatest.peek();
    }

    /**
     * Keeps the fewest most probable tokens whose probabilities reach {@code topP}; at least one.
     */
    private void cutToNucleus(double topP) {
        // A token this improbable cannot be needed: all such together stay under 1 - top_p.
        float negligible = (float) ((1 - topP) / probabilities.length);
        int count = 0;
        for (int token = 0; token < probabilities.length; token++) {
            if (probabilities[token] >= negligible) {
                // Bits of positive floats order as the floats do; equals order by token.
                long bits = Float.floatToIntBits(probabilities[token]);
                candidates[count++] = bits << 32 | (Integer.MAX_VALUE - token);
            }
        }
        Arrays.sort(candidates, 0, count);
        Arrays.fill(probabilities, 0);
        double cumulative = 0;
        while (count > 0 && cumulative < topP) {
            long candidate = candidates[--count];
            float probability = Float.intBitsToFloat((int) (candidate >>> 32));
            probabilities[Integer.MAX_VALUE - (int) candidate] = probability;
            cumulative += probability;
        }
    }

    private void normalise() {
        double sum = 0;
        for (float probability : probabilities) {
            sum += probability;
        }
        if (!(sum > 0)) {
            throw new ArithmeticException("probabilities sum to " + sum);
        }
        for (int token = 0; token < probabilities.length; token++) {
            probabilities[token] = (float) (probabilities[token] / sum);
        }
    }
}
