package io.layerskip.chat;

import io.layerskip.chat.Values.None;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The values of the arguments of a call, by the places of their parameters. */
record Arguments(
        Budget budget,
        List<Optional<Object>> values,
        List<Object> more,
        Map<String, Object> keywords) {

    /** What was passed, if anything. */
    Optional<Object> optional(int place) {
        return values.get(place);
    }

    /** What was passed, if it is anything but None. */
    Optional<Object> some(int place) {
        return values.get(place).filter(value -> value != None.NONE);
    }

    Object value(int place) {
        return values.get(place).orElseThrow();
    }

    Object value(int place, Object absent) {
        return values.get(place).orElse(absent);
    }

    boolean flag(int place, boolean absent) {
        return values.get(place).map(Python::isTrue).orElse(absent);
    }

    /** A text; anything else is refused. */
    Str text(int place) {
        return requireText(value(place));
    }

    static Str requireText(Object value) {
        if (value instanceof Str text) {
            return text;
        }
        Python.requireDefined(value);
        throw new RenderError(
                "the chat template has '%s' where a str is expected".formatted(Python.type(value)));
    }

    /** An int that fits; anything else is refused. */
    int integer(int place, int absent) {
        return values.get(place).map(Arguments::requireInteger).orElse(absent);
    }

    static int requireInteger(Object value) {
        if (Python.isNumber(value)
                && Python.number(value) instanceof Long number
                && number.intValue() == number) {
            return number.intValue();
        }
        Python.requireDefined(value);
        throw new RenderError(
                "the chat template has '%s' where an int of 32 bits is expected"
                        .formatted(Python.type(value)));
    }
}
