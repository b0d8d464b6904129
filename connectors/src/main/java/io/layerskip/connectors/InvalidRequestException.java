package io.layerskip.connectors;

import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonProcessingException;
import org.apache.flink.annotation.PublicEvolving;

/** A record that is no request; says what was found and what is allowed. */
@PublicEvolving
public final class InvalidRequestException extends Exception {

    private static final long serialVersionUID = 1;

    /** What is wrong with the record; the names stand in dead letters, so they stay. */
    public enum ErrorClass {
        /** The record has no value. */
        NULL_VALUE,
        /** The value has more bytes than are let in. */
        VALUE_TOO_LARGE,
        /** The value's bytes are not UTF-8. */
        INVALID_UTF8,
        /** The value is not one JSON document: syntax, a name twice, too deep, something after. */
        INVALID_JSON,
        /**
         * The JSON is no request: not an object, a field missing, of a wrong type, out of range.
         */
        INVALID_REQUEST,
        /**
         * The record cannot be enriched: not an object, a field of the prompt missing, no place for
         * the completion.
         */
        INVALID_RECORD
    }

    private final ErrorClass errorClass;

    public InvalidRequestException(ErrorClass errorClass, String message) {
        super(message);
        this.errorClass = errorClass;
    }

    public InvalidRequestException(ErrorClass errorClass, String message, Throwable cause) {
        super(message, cause);
        this.errorClass = errorClass;
    }

    static InvalidRequestException notJson(JsonProcessingException e) {
        JsonLocation location = e.getLocation();
        String where =
                location == null
                        ? ""
                        : " at line %d, column %d"
                                .formatted(location.getLineNr(), location.getColumnNr());
        return new InvalidRequestException(
                ErrorClass.INVALID_JSON,
                "the value is no JSON document"
                        + where
                        + ": "
                        + RequestFields.excerpt(e.getOriginalMessage()),
                e);
    }

    /** What is wrong with the record. */
    public ErrorClass errorClass() {
        return errorClass;
    }
}
