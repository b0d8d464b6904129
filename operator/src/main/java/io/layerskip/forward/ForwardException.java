package io.layerskip.forward;

import org.apache.flink.annotation.Internal;

/** ONNX Runtime could not build a session or compute a pass: the model is of no more use. */
@Internal
public final class ForwardException extends RuntimeException {

    private static final long serialVersionUID = 1;

    ForwardException(String message, Throwable cause) {
        super(message, cause);
    }
}
