package io.layerskip.flink;

import org.apache.flink.annotation.PublicEvolving;

/** What a checkpoint kept of a request is none any more; says what was found and is allowed. */
@PublicEvolving
public final class UnreadableRequestException extends Exception {

    private static final long serialVersionUID = 1;

    public UnreadableRequestException(String message, Throwable cause) {
        super(message, cause);
    }
}
