package io.layerskip.engine;

/** A request that cannot be served, or no longer; the engine goes on. */
final class RequestFailedException extends Exception {

    private static final long serialVersionUID = 1;

    private final transient GenerationFailure failure;

    RequestFailedException(GenerationFailure.Kind kind, String message) {
        super(message);
        this.failure = new GenerationFailure(kind, message);
    }

    GenerationFailure failure() {
        return failure;
    }
}
