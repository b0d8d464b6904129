package io.layerskip.chat;

import io.layerskip.chat.Values.DictValue;
import io.layerskip.chat.Values.ListValue;
import io.layerskip.chat.Values.None;
import io.layerskip.chat.Values.SafeText;
import io.layerskip.chat.Values.TupleValue;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Values as JSON, as {@code json.dumps} of Python writes them: a space after commas and colons
 * unless told otherwise, and nothing escaped for HTML, which is what transformers has {@code
 * tojson} do.
 */
final class JsonText {

    /**
     * How it is written.
     *
     * @param indent what each level is indented by; empty for one line
     * @param asciiOnly whether other characters are escaped
     */
    record Style(
            Optional<Str> indent,
            Str itemSeparator,
            Str keySeparator,
            boolean sortKeys,
            boolean asciiOnly) {}

    private final Budget budget;
    private final Style style;
    private final Str.Builder out = new Str.Builder();
    private int level;

    private JsonText(Budget budget, Style style) {
        this.budget = budget;
        this.style = style;
    }

    static Str of(Budget budget, Object value, Style style) {
        JsonText json = new JsonText(budget, style);
        json.write(value);
        budget.takeText(json.out.length());
        return json.out.build();
    }

    private void write(Object value) {
        budget.take(1);
        budget.checkLength(out.length());
        budget.enter();
        if (value instanceof Str text) {
            quote(text);
        } else if (value instanceof SafeText safe) {
            quote(safe.text());
        } else if (value instanceof ListValue list) {
            array(list.items());
        } else if (value instanceof TupleValue tuple) {
            array(tuple.items());
        } else if (value instanceof DictValue dict) {
            object(dict.entries());
        } else {
            out.append(scalar(value));
        }
        budget.leave();
    }

    private static String scalar(Object value) {
        if (value instanceof Boolean || value instanceof Long || value instanceof BigInteger) {
            return value.toString();
        } else if (value instanceof Double number) {
            return Double.isNaN(number)
                    ? "NaN"
                    : Double.isInfinite(number)
                            ? number > 0 ? "Infinity" : "-Infinity"
                            : Texts.ofFloat(number);
        } else if (value == None.NONE) {
            return "null";
        }
        throw new RenderError(
                "the chat template wants JSON of '%s', which has none"
                        .formatted(Python.type(value)));
    }

    private void array(List<Object> items) {
        out.append("[");
        level++;
        for (int i = 0; i < items.size(); i++) {
            out.append(i == 0 ? Str.EMPTY : style.itemSeparator());
            newLine();
            write(items.get(i));
        }
        close(items.isEmpty(), "]");
    }

    private void object(Map<Object, Object> entries) {
        List<Object> keys = new ArrayList<>(entries.keySet());
        if (style.sortKeys()) {
            keys.sort((a, b) -> Python.compare(budget, a, b));
        }
        out.append("{");
        level++;
        for (int i = 0; i < keys.size(); i++) {
            out.append(i == 0 ? Str.EMPTY : style.itemSeparator());
            newLine();
            quote(keys.get(i) instanceof Str key ? key : Texts.of(budget, keys.get(i)));
            out.append(style.keySeparator());
            write(entries.get(keys.get(i)));
        }
        close(keys.isEmpty(), "}");
    }

    private void close(boolean isEmpty, String bracket) {
        level--;
        if (!isEmpty) {
            newLine();
        }
        out.append(bracket);
    }

    private void newLine() {
        if (style.indent().isPresent()) {
            Str indent = style.indent().get();
            budget.takeText((long) level * indent.text().length());
            out.append("\n");
            for (int i = 0; i < level; i++) {
                out.append(indent);
            }
        }
    }

    private void quote(Str value) {
        String text = value.text();
        budget.takeText(text.length());
        out.append("\"");
        int plain = 0;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c < ' ' || c == '"' || c == '\\' || style.asciiOnly() && c > '~') {
                out.append(value, plain, i);
                out.append(escaped(c), value.isMessageAt(i));
                plain = i + 1;
            }
        }
        out.append(value, plain, text.length());
        out.append("\"");
    }

    private static String escaped(char c) {
        return switch (c) {
            case '"' -> "\\\"";
            case '\\' -> "\\\\";
            case '\n' -> "\\n";
            case '\r' -> "\\r";
            case '\t' -> "\\t";
            case '\b' -> "\\b";
            case '\f' -> "\\f";
            default -> "\\u%04x".formatted((int) c);
        };
    }
}
