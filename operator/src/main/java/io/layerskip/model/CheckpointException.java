package io.layerskip.model;

import java.io.IOException;
import org.apache.flink.annotation.PublicEvolving;

/**
 * A checkpoint folder that cannot be served; names the file, what was found and what was expected.
 */
@PublicEvolving
public final class CheckpointException extends IOException {

    private static final long serialVersionUID = 1;

    public CheckpointException(String message) {
        super(message);
    }

    public CheckpointException(String message, Throwable cause) {
        super(message, cause);
    }
}
