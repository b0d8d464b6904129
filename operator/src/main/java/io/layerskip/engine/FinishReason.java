package io.layerskip.engine;

/** Why a generation ended. */
public enum FinishReason {
    /** An end-of-sequence token or a stop text. */
    STOP,
    /** {@code max_tokens} or the end of the model's context. */
    LENGTH,
    /** The request could not be served; see {@link GenerationResult#failure()}. */
    ERROR
}
