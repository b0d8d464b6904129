package io.layerskip.engine;

import java.util.List;
import org.apache.flink.annotation.PublicEvolving;

/**
 * What one generation took.
 *
 * @param promptTokens tokens of the prompt, the begin-of-sequence token included
 * @param cachedPromptTokens how many of those were known from earlier prompts, not computed
 * @param completionTokens tokens written, an end-of-sequence token included
 * @param draftedTokens tokens that the early layers proposed
 * @param acceptedTokens how many of those the full model accepted
 * @param rounds passes through the later layers after the prompt's
 * @param queueNanos from submission to the first round that it took part in, in ns; 0 if there was
 *     none
 * @param timeToFirstTokenNanos from submission to the first token, in ns; 0 if there was none
 * @param totalNanos from submission to the end, in ns
 */
@PublicEvolving
public record GenerationStatistics(
        int promptTokens,
        int cachedPromptTokens,
        int completionTokens,
        int draftedTokens,
        int acceptedTokens,
        int rounds,
        long queueNanos,
        long timeToFirstTokenNanos,
        long totalNanos) {

    public static final GenerationStatistics NONE =
            new GenerationStatistics(0, 0, 0, 0, 0, 0, 0, 0, 0);

    /**
     * What the completions of one prompt took together: the prompt and the times until the first
     * token are those of the first completion.
     *
     * @param completions at least one
     */
    static GenerationStatistics sum(List<GenerationStatistics> completions) {
        GenerationStatistics first = completions.get(0);
        return new GenerationStatistics(
                first.promptTokens,
                first.cachedPromptTokens,
                completions.stream().mapToInt(GenerationStatistics::completionTokens).sum(),
                completions.stream().mapToInt(GenerationStatistics::draftedTokens).sum(),
                completions.stream().mapToInt(GenerationStatistics::acceptedTokens).sum(),
                completions.stream().mapToInt(GenerationStatistics::rounds).sum(),
                first.queueNanos,
                first.timeToFirstTokenNanos,
                completions.stream().mapToLong(GenerationStatistics::totalNanos).max().orElse(0));
    }

    /** Share of the drafted tokens that were accepted, in [0, 1]; 0 if none was drafted. */
    public double acceptanceRate() {
        return draftedTokens == 0 ? 0 : (double) acceptedTokens / draftedTokens;
    }
}
