package io.layerskip.engine;

import java.util.List;
import java.util.Objects;
import org.apache.flink.annotation.PublicEvolving;

/**
 * How far a generation has come; another engine with the same model and settings can go on from
 * there. The sampler has no state of its own: every draw follows from the request's seed and the
 * token's position.
 *
 * @param tokenIds the tokens written so far
 * @param statistics what they took
 * @param logprobs of the tokens, if the request asks for them or for its {@link Confidence}; else
 *     empty
 * @param moreChoices the same of the request's other completions, if it asks for several; one that
 *     has ended lacks its end, and those that have yet to begin may be missing
 */
@PublicEvolving
public record GenerationProgress(
        List<Integer> tokenIds,
        GenerationStatistics statistics,
        List<TokenLogprobs> logprobs,
        List<GenerationProgress> moreChoices) {

    /** Of a generation that has yet to write its first token. */
    public static final GenerationProgress NONE =
            new GenerationProgress(List.of(), GenerationStatistics.NONE);

    public GenerationProgress {
        tokenIds = List.copyOf(tokenIds);
        Objects.requireNonNull(statistics, "statistics");
        logprobs = List.copyOf(logprobs);
        moreChoices = List.copyOf(moreChoices);
    }

    /** Of one completion, whose log probabilities nobody asks for. */
    public GenerationProgress(List<Integer> tokenIds, GenerationStatistics statistics) {
        this(tokenIds, statistics, List.of(), List.of());
    }
}
