package io.layerskip.connectors;

/** A completion whose text is not what the record is to hold; its message says why. */
final class UnusableCompletionException extends Exception {

    private static final long serialVersionUID = 1;

    UnusableCompletionException(String message, Throwable cause) {
        super(message, cause);
    }
}
