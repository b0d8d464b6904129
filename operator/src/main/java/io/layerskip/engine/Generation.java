package io.layerskip.engine;

import java.util.concurrent.CompletableFuture;
import org.apache.flink.annotation.PublicEvolving;

/** A request that an engine has taken: running, waiting, or done. */
@PublicEvolving
public interface Generation {

    /**
     * Completes with what became of the request; exceptionally only if the engine itself broke or
     * was closed. Completed on one of the engine's threads.
     */
    CompletableFuture<GenerationResult> result();

    /**
     * Ends the generation before its next round; its result then carries the failure and what was
     * written so far. Returns at once; no effect on one that has ended.
     */
    void abort(GenerationFailure failure);

    /**
     * How far it has come by now; with its last token written, {@link #result} is complete.
     * Thread-safe; waits at most while the tokens of a round are written, never for a pass through
     * the model.
     */
    GenerationProgress progress();

    /** A generation that has ended. */
    static Generation ended(GenerationResult result) {
        return new Generation() {
            @Override
            public CompletableFuture<GenerationResult> result() {
                return CompletableFuture.completedFuture(result);
            }

            @Override
            public void abort(GenerationFailure failure) {}

            @Override
            public GenerationProgress progress() {
                return new GenerationProgress(result.tokenIds(), result.statistics());
            }
        };
    }
}
