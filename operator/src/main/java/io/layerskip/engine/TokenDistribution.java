package io.layerskip.engine;

import java.util.Arrays;
import java.util.PriorityQueue;

/**
 * Probabilities of the next token, [vocab]: softmax of the logits over the temperature, cut by
 * top-k and then top-p, as Hugging Face's logits warpers do in that order. A buffer that is filled
 * anew for every token.
 */
final class TokenDistribution {

    private final float[] probabilities;
    private final long[] candidates;

    TokenDistribution(int vocabSize) {
        this.probabilities = new float[vocabSize];
        this.candidates = new long[vocabSize];
    }

    /**
     * The token with the greatest logit; the first of equals.
     *
     * @throws ArithmeticException if the greatest logit is no finite number
     */
    static int argmax(TokenRows logits, int row) {
        var values = logits.values();
        int start = row * logits.width();
        int best = 0;
        for (int token = 1; token < logits.width(); token++) {
            if (values.get(start + token) > values.get(start + best)) {
                best = token;
            }
        }
        if (!Float.isFinite(values.get(start + best))) {
            throw new ArithmeticException("the greatest logit is " + values.get(start + best));
        }
        return best;
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

    /** Draws a token; {@code uniform} in [0, 1). */
    int sample(double uniform) {
        double cumulative = 0;
        int last = -1;
        for (int token = 0; token < probabilities.length; token++) {
            if (probabilities[token] > 0) {
                cumulative += probabilities[token];
                last = token;
                if (uniform < cumulative) {
                    break;
                }
            }
        }
        return last;
    }

    /**
     * Becomes max(0, p - q), normalised: what to draw from where a token drafted from q is refused.
     * Where rounding leaves nothing of the difference, p stays.
     */
    void subtract(TokenDistribution draft) {
        boolean differs = false;
        for (int token = 0; token < probabilities.length && !differs; token++) {
            differs = probabilities[token] > draft.probabilities[token];
        }
        if (!differs) {
            return;
        }
        for (int token = 0; token < probabilities.length; token++) {
            probabilities[token] = Math.max(0, probabilities[token] - draft.probabilities[token]);
        }
        normalise();
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
