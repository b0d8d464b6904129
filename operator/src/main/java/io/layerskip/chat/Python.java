package io.layerskip.chat;

import io.layerskip.chat.Values.Callable;
import io.layerskip.chat.Values.DictValue;
import io.layerskip.chat.Values.Lazy;
import io.layerskip.chat.Values.ListValue;
import io.layerskip.chat.Values.Namespace;
import io.layerskip.chat.Values.None;
import io.layerskip.chat.Values.SafeText;
import io.layerskip.chat.Values.TupleValue;
import io.layerskip.chat.Values.Undefined;
import io.layerskip.chat.Values.View;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What Python and Jinja say of truth, equality, order, containment, length and iteration. */
final class Python {

    private static final int STEPS_A_CHARACTER = 4;

    private Python() {}

    /** Python's name of a value's type, for messages. */
    static String type(Object value) {
        if (value instanceof Str || value instanceof SafeText) {
            return "str";
        } else if (value instanceof Boolean) {
            return "bool";
        } else if (value instanceof Long || value instanceof BigInteger) {
            return "int";
        } else if (value instanceof Double) {
            return "float";
        } else if (value instanceof ListValue) {
            return "list";
        } else if (value instanceof TupleValue) {
            return "tuple";
        } else if (value instanceof DictValue) {
            return "dict";
        } else if (value instanceof View view) {
            return view.type();
        } else if (value instanceof Lazy) {
            return "generator";
        } else if (value instanceof Namespace) {
            return "namespace";
        } else if (value instanceof Loop) {
            return "loop";
        } else if (value instanceof Macro) {
            return "macro";
        } else if (value instanceof Callable) {
            return "method";
        }
        return value == None.NONE ? "None" : "undefined";
    }

    static boolean isTrue(Object value) {
        if (value instanceof Boolean flag) {
            return flag;
        } else if (value instanceof Str text) {
            return !text.isEmpty();
        } else if (value instanceof SafeText safe) {
            return !safe.text().isEmpty();
        } else if (value instanceof Long number) {
            return number != 0;
        } else if (value instanceof Double number) {
            return number != 0;
        } else if (value == None.NONE || value instanceof Undefined) {
            return false;
        } else if (value instanceof DictValue dict) {
            return !dict.entries().isEmpty();
        }
        return elements(value).map(items -> !items.isEmpty()).orElse(true);
    }

    /** The elements of what has a length and is no string: of a dict its keys. */
    private static Optional<List<Object>> elements(Object value) {
        if (value instanceof ListValue list) {
            return Optional.of(list.items());
        } else if (value instanceof TupleValue tuple) {
            return Optional.of(tuple.items());
        } else if (value instanceof View view) {
            return Optional.of(view.items());
        } else if (value instanceof DictValue dict) {
            return Optional.of(List.copyOf(dict.entries().keySet()));
        }
        return Optional.empty();
    }

    /** What can be indexed by position: a list, a tuple or a range. */
    static Optional<List<Object>> sequence(Object value) {
        return value instanceof DictValue || value instanceof View view && !view.isRange()
                ? Optional.empty()
                : elements(value);
    }

    static long length(Budget budget, Object value) {
        if (value instanceof Str text) {
            budget.takeText(text.text().length());
            return text.size();
        } else if (value instanceof DictValue dict) {
            return dict.entries().size();
        } else if (value instanceof Undefined) {
            return 0;
        } else if (value instanceof Loop loop) {
            return loop.length();
        }
        return elements(value)
                .map(List::size)
                .orElseThrow(
                        () ->
                                new RenderError(
                                        "the chat template wants the length of '%s', which has none"
                                                .formatted(type(value))));
    }

    static boolean isIterable(Object value) {
        return value instanceof Str
                || value instanceof SafeText
                || value instanceof Lazy
                || value instanceof Loop
                || value instanceof Undefined
                || value instanceof DictValue
                || elements(value).isPresent();
    }

    /** Goes through a value once. */
    static Iterator<Object> iterate(Budget budget, Object value) {
        if (value instanceof Lazy lazy) {
            return lazy.items();
        } else if (value instanceof Str text) {
            return characters(budget, text).iterator();
        } else if (value instanceof Undefined) {
            return List.of().iterator();
        }
        List<Object> items =
                elements(value)
                        .orElseThrow(
                                () ->
                                        new RenderError(
                                                "the chat template goes through '%s', which is not iterable"
                                                        .formatted(type(value))));
        budget.take(items.size());
        return items.iterator();
    }

    static List<Object> toList(Budget budget, Object value) {
        List<Object> items = new ArrayList<>();
        Iterator<Object> iterator = iterate(budget, value);
        while (iterator.hasNext()) {
            items.add(iterator.next());
        }
        return items;
    }

    private static List<Object> characters(Budget budget, Str text) {
        budget.take((long) STEPS_A_CHARACTER * text.text().length());
        List<Object> characters = new ArrayList<>();
        for (int i = 0; i < text.text().length(); ) {
            int next = text.text().offsetByCodePoints(i, 1);
            characters.add(text.substring(i, next));
            i = next;
        }
        return characters;
    }

    static boolean isNumber(Object value) {
        return value instanceof Long
                || value instanceof Double
                || value instanceof Boolean
                || value instanceof BigInteger;
    }

    /** A bool as the int that it is; any other number as it is. */
    static Number number(Object value) {
        return value instanceof Boolean flag ? Long.valueOf(flag ? 1 : 0) : (Number) value;
    }

    static boolean equal(Budget budget, Object a, Object b) {
        if (isNumber(a) && isNumber(b)) {
            return compareNumbers(number(a), number(b)) == 0;
        } else if (a instanceof Str x && b instanceof Str y) {
            budget.takeText(Math.min(x.text().length(), y.text().length()));
            return x.equals(y);
        } else if (a instanceof ListValue x && b instanceof ListValue y) {
            return equalItems(budget, x.items(), y.items());
        } else if (a instanceof TupleValue x && b instanceof TupleValue y) {
            return equalItems(budget, x.items(), y.items());
        } else if (a instanceof DictValue x && b instanceof DictValue y) {
            return equalEntries(budget, x.entries(), y.entries());
        } else if (a instanceof Undefined && b instanceof Undefined) {
            return true;
        } else if (isOpaque(a) || isOpaque(b)) {
            throw new RenderError(
                    "the chat template compares '%s' with '%s', which is not supported"
                            .formatted(type(a), type(b)));
        }
        return a == b;
    }

    private static boolean isOpaque(Object value) {
        return value instanceof View
                || value instanceof Lazy
                || value instanceof SafeText
                || value instanceof Callable
                || value instanceof Loop;
    }

    private static boolean equalItems(Budget budget, List<Object> a, List<Object> b) {
        if (a.size() != b.size()) {
            return false;
        }
        budget.enter();
        budget.take(a.size());
        boolean equal = true;
        for (int i = 0; i < a.size() && equal; i++) {
            equal = equal(budget, a.get(i), b.get(i));
        }
        budget.leave();
        return equal;
    }

    private static boolean equalEntries(
            Budget budget, Map<Object, Object> a, Map<Object, Object> b) {
        budget.take(a.size());
        if (!a.keySet().equals(b.keySet())) {
            return false;
        }
        budget.enter();
        boolean equal = true;
        for (Map.Entry<Object, Object> entry : a.entrySet()) {
            equal = equal && equal(budget, entry.getValue(), b.get(entry.getKey()));
        }
        budget.leave();
        return equal;
    }

    private static int compareNumbers(Number a, Number b) {
        if (a instanceof Long x && b instanceof Long y) {
            return Long.compare(x, y);
        }
        boolean isFinite = Double.isFinite(a.doubleValue()) && Double.isFinite(b.doubleValue());
        return isFinite
                ? decimal(a).compareTo(decimal(b))
                : Double.compare(a.doubleValue(), b.doubleValue());
    }

    private static BigDecimal decimal(Number number) {
        return number instanceof Double value
                ? new BigDecimal(value)
                : new BigDecimal(number.toString());
    }

    /** Below 0, 0 or above 0, for what Python puts in order. */
    static int compare(Budget budget, Object a, Object b) {
        if (isNumber(a) && isNumber(b)) {
            return compareNumbers(number(a), number(b));
        } else if (a instanceof Str x && b instanceof Str y) {
            budget.takeText(Math.min(x.text().length(), y.text().length()));
            return compareTexts(x.text(), y.text());
        } else if (a instanceof ListValue x && b instanceof ListValue y) {
            return compareItems(budget, x.items(), y.items());
        } else if (a instanceof TupleValue x && b instanceof TupleValue y) {
            return compareItems(budget, x.items(), y.items());
        }
        requireDefined(a, b);
        throw new RenderError(
                "the chat template puts '%s' and '%s' in order, which have none"
                        .formatted(type(a), type(b)));
    }

    /** By code points, which UTF-16 does not order as Python does. */
    private static int compareTexts(String a, String b) {
        int length = Math.min(a.length(), b.length());
        for (int i = 0; i < length; i++) {
            if (a.charAt(i) != b.charAt(i)) {
                boolean surrogates =
                        Character.isSurrogate(a.charAt(i)) != Character.isSurrogate(b.charAt(i));
                int order = Character.compare(a.charAt(i), b.charAt(i));
                return surrogates ? (Character.isSurrogate(a.charAt(i)) ? 1 : -1) : order;
            }
        }
        return Integer.compare(a.length(), b.length());
    }

    private static int compareItems(Budget budget, List<Object> a, List<Object> b) {
        budget.enter();
        int order = Integer.compare(a.size(), b.size());
        for (int i = 0; i < Math.min(a.size(), b.size()); i++) {
            budget.take(1);
            if (!equal(budget, a.get(i), b.get(i))) {
                order = compare(budget, a.get(i), b.get(i));
                break;
            }
        }
        budget.leave();
        return order;
    }

    /** Refuses an operand that is undefined. */
    static void requireDefined(Object... operands) {
        for (Object operand : operands) {
            if (operand instanceof Undefined undefined) {
                throw undefined.error();
            }
        }
    }

    /** {@code item in container}. */
    static boolean contains(Budget budget, Object container, Object item) {
        if (container instanceof Str text) {
            requireDefined(item);
            if (!(item instanceof Str part)) {
                throw new RenderError(
                        "the chat template looks for '%s' in a str; a str is expected"
                                .formatted(type(item)));
            }
            budget.takeSearch(text, part.text());
            return text.text().contains(part.text());
        } else if (container instanceof DictValue dict) {
            return isKey(item) && dict.entries().containsKey(item);
        }
        Iterator<Object> items = iterate(budget, container);
        while (items.hasNext()) {
            if (equal(budget, items.next(), item)) {
                return true;
            }
        }
        return false;
    }

    private static boolean isKey(Object value) {
        if (value instanceof Str || value instanceof Long) {
            return true;
        } else if (value instanceof ListValue || value instanceof DictValue) {
            throw unhashable(value);
        } else if (value == None.NONE || value instanceof Undefined) {
            return false;
        }
        throw unsupportedKey(value);
    }

    private static RenderError unhashable(Object value) {
        return new RenderError(
                "the chat template looks for '%s' among the keys of a dict".formatted(type(value)));
    }

    private static RenderError unsupportedKey(Object value) {
        return new RenderError(
                "the chat template has '%s' for the key of a dict; supported: str and int"
                        .formatted(type(value)));
    }

    /** A value that can be a dict's key. */
    static Object key(Object value) {
        if (value instanceof Str || value instanceof Long) {
            return value;
        }
        throw unsupportedKey(value);
    }
}
