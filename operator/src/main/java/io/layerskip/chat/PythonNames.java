package io.layerskip.chat;

import io.layerskip.chat.Values.DictValue;
import io.layerskip.chat.Values.Lazy;
import io.layerskip.chat.Values.ListValue;
import io.layerskip.chat.Values.SafeText;
import io.layerskip.chat.Values.TupleValue;
import io.layerskip.chat.Values.View;
import java.math.BigInteger;
import java.util.Set;

/**
 * The public names of Python 3's built-in types. An attribute of such a name is never undefined,
 * and of a dict never its key; what is not supported of them is refused.
 */
final class PythonNames {

    private static final Set<String> STR =
            names(
                    "capitalize casefold center count encode endswith expandtabs find "
                            + "format format_map index isalnum isalpha isascii isdecimal isdigit "
                            + "isidentifier islower isnumeric isprintable isspace istitle isupper "
                            + "join ljust lower lstrip maketrans partition removeprefix "
                            + "removesuffix replace rfind rindex rjust rpartition rsplit rstrip "
                            + "split splitlines startswith strip swapcase title translate upper "
                            + "zfill");

    private static final Set<String> LIST =
            names("append clear copy count extend index insert pop remove reverse sort");

    private static final Set<String> TUPLE = names("count index");

    private static final Set<String> DICT =
            names("clear copy fromkeys get items keys pop popitem setdefault update " + "values");

    private static final Set<String> INT =
            names(
                    "as_integer_ratio bit_count bit_length conjugate denominator "
                            + "from_bytes imag is_integer numerator real to_bytes");

    private static final Set<String> FLOAT =
            names("as_integer_ratio conjugate fromhex hex imag is_integer real");

    private static final Set<String> VIEW = names("isdisjoint mapping");

    private static final Set<String> RANGE = names("count index start step stop");

    private static final Set<String> GENERATOR =
            names("close gi_code gi_frame gi_running gi_suspended gi_yieldfrom send " + "throw");

    private PythonNames() {}

    private static Set<String> names(String spaced) {
        return Set.of(spaced.split(" "));
    }

    /** The names that a value's type has. */
    static Set<String> of(Object value) {
        if (value instanceof Str || value instanceof SafeText) {
            return STR;
        } else if (value instanceof DictValue) {
            return DICT;
        } else if (value instanceof ListValue) {
            return LIST;
        } else if (value instanceof TupleValue) {
            return TUPLE;
        } else if (value instanceof Double) {
            return FLOAT;
        } else if (value instanceof Long
                || value instanceof Boolean
                || value instanceof BigInteger) {
            return INT;
        } else if (value instanceof View view) {
            return view.isRange() ? RANGE : VIEW;
        }
        return value instanceof Lazy ? GENERATOR : Set.of();
    }
}
