package io.layerskip.engine;

/** The engine itself cannot go on: the model broke, or the engine was closed. */
public final class EngineFailedException extends RuntimeException {

    private static final long serialVersionUID = 1;

    public EngineFailedException(String message) {
        super(message);
    }

    public EngineFailedException(String message, Throwable cause) {
        super(message, cause);
    }
}
