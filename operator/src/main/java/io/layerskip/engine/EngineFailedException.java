package io.layerskip.engine;

import org.apache.flink.annotation.PublicEvolving;

/** The engine itself cannot go on: the model broke, or the engine was closed. */
@PublicEvolving
public final class EngineFailedException extends RuntimeException {

    private static final long serialVersionUID = 1;

    private final boolean requestMayBeToBlame;

    public EngineFailedException(String message) {
        super(message);
        this.requestMayBeToBlame = false;
    }

    public EngineFailedException(String message, Throwable cause) {
        this(message, cause, false);
    }

    private EngineFailedException(String message, Throwable cause, boolean requestMayBeToBlame) {
        super(message, cause);
        this.requestMayBeToBlame = requestMayBeToBlame;
    }

    /** It may have been a request under way that broke the engine, and may break the next one. */
    static EngineFailedException underWay(String message, Throwable cause) {
        return new EngineFailedException(message, cause, true);
    }

    /** The same where nothing was thrown. */
    static EngineFailedException underWay(String message) {
        return new EngineFailedException(message, null, true);
    }

    /**
     * Whether it may have been one of the requests under way that broke the engine. Not so if it
     * was closed, or if the model itself is known to be broken.
     */
    public boolean requestMayBeToBlame() {
        return requestMayBeToBlame;
    }
}
