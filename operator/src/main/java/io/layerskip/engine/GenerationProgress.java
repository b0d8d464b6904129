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
 */
@PublicEvolving
public record GenerationProgress(List<Integer> tokenIds, GenerationStatistics statistics) {

    /** Of a generation that has yet to write its first token. */
    public static final GenerationProgress NONE =
            new GenerationProgress(List.of(), GenerationStatistics.NONE);

    public GenerationProgress {
        tokenIds = List.copyOf(tokenIds);
        Objects.requireNonNull(statistics, "statistics");
    }
}
