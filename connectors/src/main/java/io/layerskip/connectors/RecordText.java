package io.layerskip.connectors;

import io.layerskip.connectors.InvalidRequestException.ErrorClass;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/** The text of a record's value: UTF-8, of a size that is let in, without a byte order mark. */
final class RecordText {

    private static final char BYTE_ORDER_MARK = '\uFEFF';

    private RecordText() {}

    /**
     * The text of the record's value.
     *
     * @param maxBytes size of the largest value that is let in
     */
    static String of(SourceRecord source, int maxBytes) throws InvalidRequestException {
        if (source.value().isEmpty()) {
            throw new InvalidRequestException(
                    ErrorClass.NULL_VALUE, "the record has no value; expected: a JSON object");
        }
        return of(source.value().get(), maxBytes);
    }

    static String of(byte[] value, int maxBytes) throws InvalidRequestException {
        if (value.length > maxBytes) {
            throw new InvalidRequestException(
                    ErrorClass.VALUE_TOO_LARGE,
                    "the value has %d bytes; allowed: at most %d"
                            .formatted(value.length, maxBytes));
        }
        String text = decode(value);
        return !text.isEmpty() && text.charAt(0) == BYTE_ORDER_MARK ? text.substring(1) : text;
    }

    private static String decode(byte[] value) throws InvalidRequestException {
        try {
            // A decoder of its own reports malformed input; String's would put U+FFFD in its place.
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(value)).toString();
        } catch (CharacterCodingException e) {
            throw new InvalidRequestException(
                    ErrorClass.INVALID_UTF8,
                    "the value's bytes are not UTF-8: " + e.getMessage(),
                    e);
        }
    }
}
