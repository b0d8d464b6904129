package io.layerskip.engine;

import java.util.List;
import java.util.OptionalInt;

/**
 * How an engine runs, and what a request gets that does not say otherwise.
 *
 * @param exitLayers layers that a draft may exit after, each in 1..L-1; the first one is the
 *     default. Every further one splits the model once more and costs a call a pass
 * @param numAssistantTokens tokens to draft a round; 0 for plain decoding
 * @param maxTokens most tokens to write; empty for the checkpoint's max_new_tokens, and where that
 *     is missing too, what the context has room for
 * @param temperature 0 for greedy decoding
 * @param topK sample among this many best tokens; 0 for all
 * @param topP sample among the fewest tokens that together have this probability
 * @param threads that compute one pass
 * @param maxActiveRequests requests generated at the same time, a round of each in turn; further
 *     ones wait
 */
public record EngineSettings(
        List<Integer> exitLayers,
        int numAssistantTokens,
        OptionalInt maxTokens,
        double temperature,
        int topK,
        double topP,
        int threads,
        int maxActiveRequests) {

    /**
     * @throws IllegalArgumentException if a value is out of range
     */
    public EngineSettings {
        exitLayers = List.copyOf(exitLayers);
        if (exitLayers.isEmpty() || threads < 1 || maxActiveRequests < 1) {
            throw new IllegalArgumentException(
                    "%d exit layers, %d threads, %d active requests; allowed: at least 1 of each"
                            .formatted(exitLayers.size(), threads, maxActiveRequests));
        }
        // The defaults of requests are held to what a request may ask.
        GenerationParameters.Builder defaults =
                GenerationParameters.builder()
                        .numAssistantTokens(numAssistantTokens)
                        .temperature(temperature)
                        .topK(topK)
                        .topP(topP);
        maxTokens.ifPresent(defaults::maxTokens);
        defaults.build();
    }

    /** These settings with other exits. */
    public EngineSettings withExitLayers(List<Integer> exitLayers) {
        return new EngineSettings(
                exitLayers,
                numAssistantTokens,
                maxTokens,
                temperature,
                topK,
                topP,
                threads,
                maxActiveRequests);
    }
}
