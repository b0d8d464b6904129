package io.layerskip.engine;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.apache.flink.annotation.PublicEvolving;

/**
 * What became of a {@link GenerationRequest}: a completion, or a failure with what was written
 * before it.
 *
 * @param id the request's
 * @param text the completion, after the prompt if the request asks for an echo, without special
 *     tokens and without the stop text; never ends in half a UTF-8 character
 * @param tokenIds the tokens written, an end-of-sequence token included
 * @param finishReason why the generation ended
 * @param statistics what it took
 * @param failure why there is no whole completion; empty exactly if {@code finishReason} is not
 *     {@link FinishReason#ERROR}
 * @param systemFingerprint what wrote it, see {@link GenerationEngine#systemFingerprint}; empty if
 *     nothing did, or nobody noted it
 * @param attachment the request's
 * @param logprobs of each token written, if the request asks for them; else empty
 * @param confidence how sure the model was of the tokens written, if the request asks for it
 * @param moreChoices the second completion and those after it, if the request asks for several; the
 *     statistics are those of all together
 */
@PublicEvolving
public record GenerationResult(
        String id,
        String text,
        List<Integer> tokenIds,
        FinishReason finishReason,
        GenerationStatistics statistics,
        Optional<GenerationFailure> failure,
        Optional<String> systemFingerprint,
        byte[] attachment,
        List<TokenLogprobs> logprobs,
        Optional<Confidence> confidence,
        List<Choice> moreChoices) {

    public GenerationResult {
        Objects.requireNonNull(id, "id");
        Objects.requireNonNull(text, "text");
        tokenIds = List.copyOf(tokenIds);
        Objects.requireNonNull(statistics, "statistics");
        Objects.requireNonNull(attachment, "attachment");
        if (failure.isPresent() != (finishReason == FinishReason.ERROR)) {
            throw new IllegalArgumentException(
                    "finish reason " + finishReason + " with failure " + failure);
        }
        logprobs = List.copyOf(logprobs);
        Objects.requireNonNull(confidence, "confidence");
        moreChoices = List.copyOf(moreChoices);
    }

    /** The result of a request that asks for one completion and nothing beside. */
    public GenerationResult(
            String id,
            String text,
            List<Integer> tokenIds,
            FinishReason finishReason,
            GenerationStatistics statistics,
            Optional<GenerationFailure> failure,
            Optional<String> systemFingerprint,
            byte[] attachment) {
        this(
                id,
                text,
                tokenIds,
                finishReason,
                statistics,
                failure,
                systemFingerprint,
                attachment,
                List.of(),
                Optional.empty(),
                List.of());
    }

    /**
     * All completions, in the order of their indices.
     *
     * @throws IllegalStateException if the request failed: there is none
     */
    public List<Choice> choices() {
        if (failure.isPresent()) {
            throw new IllegalStateException("request " + id + " failed: " + failure.get());
        }
        List<Choice> choices = new ArrayList<>();
        choices.add(new Choice(text, tokenIds, finishReason, logprobs, confidence));
        choices.addAll(moreChoices);
        return choices;
    }

    /** The same result for another attachment. */
    public GenerationResult withAttachment(byte[] other) {
        return new GenerationResult(
                id,
                text,
                tokenIds,
                finishReason,
                statistics,
                failure,
                systemFingerprint,
                other,
                logprobs,
                confidence,
                moreChoices);
    }

    /** The result of a request that failed before it wrote anything. */
    public static GenerationResult failed(GenerationRequest request, GenerationFailure failure) {
        return new GenerationResult(
                request.id(),
                "",
                List.of(),
                FinishReason.ERROR,
                GenerationStatistics.NONE,
                Optional.of(failure),
                Optional.empty(),
                request.attachment());
    }
}
