package io.layerskip.engine;

import org.apache.flink.annotation.PublicEvolving;

/** The engine itself cannot go on: the model broke, or the engine was closed. */
@PublicEvolving
public final class EngineFailedException extends RuntimeException {

    private static final long serialVersionUID = 1;

    public EngineFailedException(String message) {
        super(message);
    }

    public EngineFailedException(String message, Throwable cause) {
        super(message, cause);
    }
}
