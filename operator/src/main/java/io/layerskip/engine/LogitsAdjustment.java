package io.layerskip.engine;

import java.util.Map;

/**
 * How a request changes the model's logits before a token is chosen by them; see {@link
 * GenerationParameters} for what each means.
 *
 * @param logitBias by token id
 */
record LogitsAdjustment(
        int minTokens,
        Map<Integer, Double> logitBias,
        double repetitionPenalty,
        double frequencyPenalty,
        double presencePenalty) {

    /** Leaves the logits as they are. */
    static final LogitsAdjustment NONE = new LogitsAdjustment(0, Map.of(), 1, 0, 0);

    /** What the parameters ask for; {@link #NONE} itself if that is nothing. */
    static LogitsAdjustment of(GenerationParameters asked) {
        LogitsAdjustment adjustment =
                new LogitsAdjustment(
                        asked.minTokens().orElse(NONE.minTokens),
                        asked.logitBias(),
                        asked.repetitionPenalty().orElse(NONE.repetitionPenalty),
                        asked.frequencyPenalty().orElse(NONE.frequencyPenalty),
                        asked.presencePenalty().orElse(NONE.presencePenalty));
        return adjustment.equals(NONE) ? NONE : adjustment;
    }

    /** Whether a token's logit depends on the tokens before it. */
    boolean penalises() {
        return repetitionPenalty != 1 || frequencyPenalty != 0 || presencePenalty != 0;
    }
}
