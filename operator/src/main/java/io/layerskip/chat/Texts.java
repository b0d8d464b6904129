package io.layerskip.chat;

import io.layerskip.chat.Values.DictValue;
import io.layerskip.chat.Values.ListValue;
import io.layerskip.chat.Values.None;
import io.layerskip.chat.Values.SafeText;
import io.layerskip.chat.Values.TupleValue;
import io.layerskip.chat.Values.Undefined;
import io.layerskip.chat.Values.View;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/** Values as texts: Python's {@code str} and {@code repr}. */
final class Texts {

    /** So many digits tell all doubles apart. */
    private static final int MAX_DIGITS = 17;

    private static final double WRITTEN_OUT = 1e16;

    private Texts() {}

    /** {@code str(value)}. */
    static Str of(Budget budget, Object value) {
        if (value instanceof Str text) {
            return text;
        } else if (value instanceof SafeText safe) {
            return safe.text();
        } else if (value instanceof Undefined) {
            return Str.EMPTY;
        }
        Str.Builder text = new Str.Builder();
        repr(budget, value, text);
        budget.takeText(text.length());
        return text.build();
    }

    private static void repr(Budget budget, Object value, Str.Builder out) {
        budget.take(1);
        budget.checkLength(out.length());
        budget.enter();
        if (value instanceof Str text) {
            quote(budget, text, out);
        } else if (value instanceof ListValue list) {
            items(budget, list.items(), "[", "]", out);
        } else if (value instanceof TupleValue tuple) {
            items(budget, tuple.items(), "(", tuple.items().size() == 1 ? ",)" : ")", out);
        } else if (value instanceof DictValue dict) {
            entries(budget, dict.entries(), out);
        } else if (value instanceof View view && !view.isRange()) {
            items(budget, view.items(), view.type() + "([", "])", out);
        } else if (value instanceof Undefined) {
            out.append("Undefined");
        } else {
            out.append(scalar(value));
        }
        budget.leave();
    }

    private static void items(
            Budget budget, List<Object> items, String open, String close, Str.Builder out) {
        out.append(open);
        for (int i = 0; i < items.size(); i++) {
            out.append(i == 0 ? "" : ", ");
            repr(budget, items.get(i), out);
        }
        out.append(close);
    }

    private static void entries(Budget budget, Map<Object, Object> entries, Str.Builder out) {
        out.append("{");
        Iterator<Map.Entry<Object, Object>> iterator = entries.entrySet().iterator();
        while (iterator.hasNext()) {
            Map.Entry<Object, Object> entry = iterator.next();
            repr(budget, entry.getKey(), out);
            out.append(": ");
            repr(budget, entry.getValue(), out);
            out.append(iterator.hasNext() ? ", " : "");
        }
        out.append("}");
    }

    /** A number, a bool or None, as both {@code str} and {@code repr} write it. */
    private static String scalar(Object value) {
        if (value instanceof Long || value instanceof BigInteger) {
            return value.toString();
        } else if (value instanceof Double number) {
            return ofFloat(number);
        } else if (value instanceof Boolean flag) {
            return flag ? "True" : "False";
        } else if (value == None.NONE) {
            return "None";
        }
        throw new RenderError(
                "the chat template writes '%s', which is no text".formatted(Python.type(value)));
    }

    private static void quote(Budget budget, Str value, Str.Builder out) {
        String text = value.text();
        budget.takeText(text.length());
        char quote = text.indexOf('\'') >= 0 && text.indexOf('"') < 0 ? '"' : '\'';
        out.append(String.valueOf(quote));
        for (int i = 0; i < text.length(); ) {
            int c = text.codePointAt(i);
            out.append(escaped(c, quote), value.isMessageAt(i));
            i += Character.charCount(c);
        }
        out.append(String.valueOf(quote));
    }

    private static String escaped(int c, char quote) {
        return switch (c) {
            case '\n' -> "\\n";
            case '\r' -> "\\r";
            case '\t' -> "\\t";
            case '\\' -> "\\\\";
            default -> {
                if (c == quote) {
                    yield "\\" + quote;
                } else if (isPrintable(c)) {
                    yield Character.toString(c);
                }
                yield (c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x").formatted(c);
            }
        };
    }

    private static boolean isPrintable(int c) {
        return switch (Character.getType(c)) {
            case Character.CONTROL,
                    Character.FORMAT,
                    Character.SURROGATE,
                    Character.PRIVATE_USE,
                    Character.UNASSIGNED,
                    Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR ->
                    false;
            case Character.SPACE_SEPARATOR -> c == ' ';
            default -> true;
        };
    }

    /** The fewest digits that read back as the same number, as Python writes a float. */
    static String ofFloat(double value) {
        if (Double.isNaN(value)) {
            return "nan";
        } else if (Double.isInfinite(value)) {
            return value > 0 ? "inf" : "-inf";
        } else if (value == 0) {
            return 1 / value < 0 ? "-0.0" : "0.0";
        }
        BigDecimal exact = new BigDecimal(value);
        BigDecimal shortest = exact;
        for (int digits = 1; digits <= MAX_DIGITS; digits++) {
            shortest = exact.round(new MathContext(digits, RoundingMode.HALF_EVEN));
            if (shortest.doubleValue() == value) {
                break;
            }
        }
        shortest = shortest.stripTrailingZeros();
        if (Math.abs(value) >= 1e-4 && Math.abs(value) < WRITTEN_OUT) {
            return shortest.scale() <= 0
                    ? shortest.toPlainString() + ".0"
                    : shortest.toPlainString();
        }
        String digits = shortest.unscaledValue().abs().toString();
        int exponent = digits.length() - 1 - shortest.scale();
        return (value < 0 ? "-" : "")
                + digits.charAt(0)
                + (digits.length() > 1 ? "." + digits.substring(1) : "")
                + "e%s%02d".formatted(exponent < 0 ? "-" : "+", Math.abs(exponent));
    }
}
