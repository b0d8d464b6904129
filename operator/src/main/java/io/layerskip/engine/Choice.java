package io.layerskip.engine;

import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.apache.flink.annotation.PublicEvolving;

/**
 * One of the completions of a request; see {@link GenerationResult} for the components.
 *
 * @param text of the completion
 * @param tokenIds of the completion
 * @param finishReason never {@link FinishReason#ERROR}
 * @param logprobs of the tokens
 * @param confidence in the tokens
 */
@PublicEvolving
public record Choice(
        String text,
        List<Integer> tokenIds,
        FinishReason finishReason,
        List<TokenLogprobs> logprobs,
        Optional<Confidence> confidence) {

    public Choice {
        Objects.requireNonNull(text, "text");
        tokenIds = List.copyOf(tokenIds);
        Objects.requireNonNull(finishReason, "finishReason");
        logprobs = List.copyOf(logprobs);
        Objects.requireNonNull(confidence, "confidence");
    }
}
