package io.layerskip.engine;

import org.apache.flink.annotation.PublicEvolving;

/** Why a generation ended. */
@PublicEvolving
public enum FinishReason {
    /** An end-of-sequence token or a stop text. */
    STOP,
    /** {@code max_tokens} or the end of the model's context. */
    LENGTH,
    /** The request could not be served; see {@link GenerationResult#failure()}. */
    ERROR
}
