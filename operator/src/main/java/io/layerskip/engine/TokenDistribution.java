package io.layerskip.engine;

import io.layerskip.forward.TokenRows;
import java.util.Arrays;
import java.util.OptionalInt;

/**
 * Probabilities of the next token: softmax of the logits over the temperature, cut by top-k, min-p
 * and then top-p. Without min-p that is what Hugging Face's logits warpers give, with it vLLM's
 * sampler: top-p counts what min-p has left. A buffer that is filled again for every token.
 *
 * <p>Where many tokens are left after top-k, rough weights settle most draws in a small part of the
 * time. What they leave in doubt the probabilities settle, so the draws are the same as without
 * them.
 */
final class TokenDistribution {

    /** The probabilities of so many tokens take less time than the rough weights of all. */
    private static final int FEW = 256;

    private static final Sampling UNCHANGED = new Sampling(1, 0, 1);

    private final float[] logits;
    private final int[] vocabulary;
    private final int[] best;
    private final RadixSelection selection = new RadixSelection();
    private final RoughWeights rough;
    private final double[] probabilities;
    private final long[] order;

    private Sampling sampling;
    private double greatest;

    /** The tokens that top-k and min-p leave, rising. */
    private int[] tokens;

    private int count;

    /** Whether the probabilities of the tokens are computed. */
    private boolean exact;

    TokenDistribution(int vocabSize) {
        this.logits = new float[vocabSize];
        this.vocabulary = new int[vocabSize];
        Arrays.setAll(vocabulary, token -> token);
        this.best = new int[vocabSize];
        this.rough = new RoughWeights(vocabSize);
        this.probabilities = new double[vocabSize];
        this.order = new long[vocabSize];
    }

    /** Takes the model's own distribution: at temperature 1, with nothing cut. */
    boolean set(TokenRows rows, int row) {
        return set(rows, row, UNCHANGED);
    }

    /**
     * Takes the distribution that a row of logits gives.
     *
     * @param rows [rows, vocab]
     * @param sampling not greedy
     * @return false if the logits give none, and then there is nothing to ask: one is NaN or
     *     positive infinity, or all are negative infinity
     */
    boolean set(TokenRows rows, int row, Sampling sampling) {
        rows.read(row, logits, 0);
        this.sampling = sampling;
        greatest = greatestLogit();
        if (!Double.isFinite(greatest)) {
            return false;
        }
        cutToBest(sampling.topK());
        if (sampling.minP() > 0) {
            cutToLikely(sampling);
        }
        exact = false;
        if (count > FEW) {
            rough.set(logits, greatest, sampling);
        } else {
            compute();
        }
        return true;
    }

    float probability(int token) {
        compute();
        int index = Arrays.binarySearch(tokens, 0, count, token);
        return index < 0 ? 0 : (float) probabilities[index];
    }

    /** The greatest probability, to a thousandth of it. */
    double confidence() {
        if (!exact) {
            return rough.confidence();
        }
        double greatest = 0;
        for (int i = 0; i < count; i++) {
            greatest = Math.max(greatest, probabilities[i]);
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
        OptionalInt settled = exact ? OptionalInt.empty() : rough.winner(stream);
        return settled.isPresent() ? settled.getAsInt() : winner(stream);
    }

    private int winner(long stream) {
        compute();
        int winner = -1;
        double least = Double.POSITIVE_INFINITY;
        for (int i = 0; i < count; i++) {
            if (probabilities[i] > 0) {
                double u = SplitMix64.uniform(SplitMix64.bits(stream, tokens[i]));
                double time = -Math.log(u) / probabilities[i];
                if (time < least) {
                    least = time;
                    winner = tokens[i];
                }
            }
        }
        return winner;
    }

    /** NaN if any logit is. */
    private float greatestLogit() {
        float greatest = Float.NEGATIVE_INFINITY;
        for (float logit : logits) {
            greatest = Math.max(greatest, logit);
        }
        return greatest;
    }

    /** Keeps the k greatest logits and the equals of the k-th, as torch.topk's threshold does. */
    private void cutToBest(int k) {
        if (k == 0 || k >= logits.length) {
            tokens = vocabulary;
            count = logits.length;
            return;
        }
        float threshold = selection.greatest(logits, k);
        tokens = best;
        count = 0;
        for (int token = 0; token < logits.length; token++) {
            if (logits[token] >= threshold) {
                best[count++] = token;
            } else {
                logits[token] = Float.NEGATIVE_INFINITY;
            }
        }
    }

    /** Keeps, of the tokens left, those whose probability is this part of the greatest. */
    private void cutToLikely(Sampling sampling) {
        double threshold = greatest + sampling.temperature() * Math.log(sampling.minP());
        int kept = 0;
        for (int i = 0; i < count; i++) {
            int token = tokens[i];
            if (logits[token] >= threshold) {
                best[kept++] = token;
            } else {
                logits[token] = Float.NEGATIVE_INFINITY;
            }
        }
        tokens = best;
        count = kept;
    }

    private void compute() {
        if (exact) {
            return;
        }
        for (int i = 0; i < count; i++) {
            probabilities[i] =
                    (float) Math.exp((logits[tokens[i]] - greatest) / sampling.temperature());
        }
        normalise();
        if (sampling.topP() < 1) {
            cutToNucleus(sampling.topP());
            normalise();
        }
        exact = true;
    }

    /** Rounded to float, as they have always been: other roundings would draw other tokens. */
    private void normalise() {
        double sum = 0;
        for (int i = 0; i < count; i++) {
            sum += probabilities[i];
        }
        for (int i = 0; i < count; i++) {
            probabilities[i] = (float) (probabilities[i] / sum);
        }
    }

    /**
     * Keeps the fewest most probable tokens whose probabilities reach {@code topP}; at least one.
     */
    private void cutToNucleus(double topP) {
        // A token this improbable cannot be needed: all such together stay under 1 - top_p.
        float negligible = (float) ((1 - topP) / logits.length);
        int candidates = 0;
        for (int i = 0; i < count; i++) {
            if (probabilities[i] >= negligible) {
                // Bits of positive floats order as the floats do; equals order by token.
                long bits = Float.floatToIntBits((float) probabilities[i]);
                order[candidates++] = bits << 32 | (Integer.MAX_VALUE - i);
            }
        }
        Arrays.sort(order, 0, candidates);
        Arrays.fill(probabilities, 0, count, 0);
        double cumulative = 0;
        while (candidates > 0 && cumulative < topP) {
            long candidate = order[--candidates];
            float probability = Float.intBitsToFloat((int) (candidate >>> 32));
            probabilities[Integer.MAX_VALUE - (int) candidate] = probability;
            cumulative += probability;
        }
    }
}
