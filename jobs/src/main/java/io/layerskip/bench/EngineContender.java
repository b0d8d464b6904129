package io.layerskip.bench;

import io.layerskip.engine.GenerationEngine;
import io.layerskip.engine.GenerationParameters;
import io.layerskip.engine.GenerationRequest;
import io.layerskip.engine.GenerationResult;
import io.layerskip.engine.GenerationStatistics;
import java.util.concurrent.CompletableFuture;

/**
 * This project's engine.
 *
 * @param name what tables and charts call it
 * @param engine may serve other contenders too
 * @param parameters of every request
 */
public record EngineContender(String name, GenerationEngine engine, GenerationParameters parameters)
        implements Contender {

    /** Asks for greedy decoding without drafts. */
    static final GenerationParameters PLAIN = greedy().numAssistantTokens(0).build();

    /** Decodes without drafts. */
    public static EngineContender plain(GenerationEngine engine) {
        return new EngineContender("plain", engine, PLAIN);
    }

    /** Drafts so many tokens a round. */
    public static EngineContender fixed(GenerationEngine engine, int drafts) {
        return new EngineContender(
                "%d drafts".formatted(drafts), engine, greedy().numAssistantTokens(drafts).build());
    }

    /** Drafts as the engine's settings say. */
    public static EngineContender asSet(String name, GenerationEngine engine) {
        return new EngineContender(name, engine, greedy().build());
    }

    private static GenerationParameters.Builder greedy() {
        return GenerationParameters.builder().temperature(0);
    }

    @Override
    public CompletableFuture<Completed> complete(String prompt) {
        GenerationRequest request = new GenerationRequest("bench", prompt, parameters);
        return engine.submit(request).result().thenApply(EngineContender::completed);
    }

    private static Completed completed(GenerationResult result) {
        result.failure()
                .ifPresent(
                        failure -> {
                            throw new IllegalStateException(failure.message());
                        });
        GenerationStatistics statistics = result.statistics();
        return new Completed(
                result.text(),
                statistics.completionTokens(),
                statistics.timeToFirstTokenNanos(),
                statistics.totalNanos(),
                statistics.draftedTokens(),
                statistics.acceptedTokens());
    }
}
