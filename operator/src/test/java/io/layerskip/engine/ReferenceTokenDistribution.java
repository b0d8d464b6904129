package io.layerskip.engine;

import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/**
 * What {@link TokenDistribution} has to give, bit by bit: every token's probability in turn, a sort
 * for either cut, and a logarithm for every token of a race.
 */
final class ReferenceTokenDistribution {

    private final float[] probabilities;

    ReferenceTokenDistribution(float[] logits, Sampling sampling) {
        int vocab = logits.length;
        this.probabilities = new float[vocab];
        int k = sampling.topK();
        float[] sorted = logits.clone();
        Arrays.sort(sorted);
        double greatest = sorted[vocab - 1];
        double threshold = k == 0 || k >= vocab ? Double.NEGATIVE_INFINITY : sorted[vocab - k];
        if (sampling.minP() > 0) {
            double likely = greatest + Math.log(sampling.minP()) * sampling.temperature();
            threshold = Math.max(threshold, likely);
        }
        for (int token = 0; token < vocab; token++) {
            double logit = logits[token];
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

    double confidence() {
        double greatest = 0;
        for (float probability : probabilities) {
            greatest = Math.max(greatest, probability);
        }
        return greatest;
    }

    int sample(long seed, int position) {
        long stream = mix(seed + mix(position));
        int winner = -1;
        double least = Double.POSITIVE_INFINITY;
        for (int token = 0; token < probabilities.length; token++) {
            if (probabilities[token] > 0) {
                double u = ((mix(stream + token * 0x9e3779b97f4a7c15L) >>> 11) + 0.5) * 0x1p-53;
                double time = -Math.log(u) / probabilities[token];
                if (time < least) {
                    least = time;
                    winner = token;
                }
            }
        }
        return winner;
    }

    private void normalise() {
        double sum = 0;
        for (float probability : probabilities) {
            sum += probability;
        }
        for (int token = 0; token < probabilities.length; token++) {
            probabilities[token] = (float) (probabilities[token] / sum);
        }
    }

    private void cutToNucleus(double topP) {
        float negligible = (float) ((1 - topP) / probabilities.length);
        List<Integer> byProbability =
                IntStream.range(0, probabilities.length)
                        .filter(token -> probabilities[token] >= negligible)
                        .boxed()
                        .sorted(Comparator.comparing(token -> -probabilities[token]))
                        .toList();
        float[] all = probabilities.clone();
        Arrays.fill(probabilities, 0);
        double cumulative = 0;
        for (int token : byProbability) {
            if (cumulative >= topP) {
                break;
            }
            probabilities[token] = all[token];
            cumulative += all[token];
        }
    }

    private static long mix(long number) {
        long mixed = number + 0x9e3779b97f4a7c15L;
        mixed = (mixed ^ (mixed >>> 30)) * 0xbf58476d1ce4e5b9L;
        mixed = (mixed ^ (mixed >>> 27)) * 0x94d049bb133111ebL;
        return mixed ^ (mixed >>> 31);
    }
}
