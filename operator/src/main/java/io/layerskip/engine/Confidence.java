package io.layerskip.engine;

import java.util.List;
import org.apache.flink.annotation.PublicEvolving;

/**
 * How sure the model was of a completion, to route by: the probabilities that it gave to the tokens
 * that were written, the end of the sequence included, as {@link TokenLogprob} has them.
 *
 * @param meanProbability geometric mean of the probabilities, in [0, 1]
 * @param leastProbability the least of them, in [0, 1]
 */
@PublicEvolving
public record Confidence(double meanProbability, double leastProbability) {

    /**
     * @param tokens at least one
     */
    static Confidence of(List<TokenLogprobs> tokens) {
        double sum = 0;
        double least = 0;
        for (TokenLogprobs token : tokens) {
            sum += token.chosen().logprob();
            least = Math.min(least, token.chosen().logprob());
        }
        return new Confidence(Math.exp(sum / tokens.size()), Math.exp(least));
    }
}
