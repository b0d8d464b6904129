package io.layerskip.engine;

import org.apache.flink.annotation.PublicEvolving;

/**
 * Why a request has no whole completion.
 *
 * @param kind what sort of failure
 * @param message what was wrong and what is allowed, for the person who sent the request
 */
@PublicEvolving
public record GenerationFailure(Kind kind, String message) {

    /** The sorts of failure; the names stand in dead letters, so they stay. */
    public enum Kind {
        /** The request asks for what this model or engine cannot do. */
        INVALID_REQUEST,
        /** The prompt leaves no room for a completion in the model's context. */
        PROMPT_TOO_LONG,
        /** The deadline passed before the generation ended. */
        TIMEOUT,
        /** Something broke while this request was served. */
        INTERNAL_ERROR,
        /** The model breaks on this request alone, or the process has ended with it repeatedly. */
        POISON_REQUEST
    }
}
