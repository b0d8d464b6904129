package io.layerskip.flink;

import io.layerskip.engine.GenerationProgress;
import io.layerskip.engine.GenerationResult;
import java.util.Optional;

/**
 * What a checkpoint keeps of a request under way, beside the request itself, which Flink's operator
 * keeps.
 *
 * @param version of what the components mean; a generation saved in another one starts over
 * @param key what the text follows from: the request, the model and the settings
 * @param progress how far it had come
 * @param result if it had ended, and waited for those before it; without the request's attachment
 */
record SavedGeneration(
        int version, String key, GenerationProgress progress, Optional<GenerationResult> result) {

    static final int VERSION = 1;

    private static final byte[] NOTHING = {};

    static SavedGeneration underWay(String key, GenerationProgress progress) {
        return new SavedGeneration(VERSION, key, progress, Optional.empty());
    }

    static SavedGeneration ended(String key, GenerationResult result) {
        return new SavedGeneration(
                VERSION, key, GenerationProgress.NONE, Optional.of(result.withAttachment(NOTHING)));
    }

    /** How many tokens of the completions need not be generated again. */
    int tokens() {
        return result.map(ended -> ended.statistics().completionTokens())
                .orElseGet(() -> tokens(progress));
    }

    private static int tokens(GenerationProgress progress) {
        return progress.tokenIds().size()
                + progress.moreChoices().stream().mapToInt(SavedGeneration::tokens).sum();
    }
}
