package io.layerskip.chat;

import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/**
 * What a template works with, each standing for a Python type. Beside these there are {@link Str},
 * {@link Boolean}, {@link Long} and {@link java.math.BigInteger} (int; the latter only comes with
 * messages), {@link Double} (float), {@link Macro} and {@link Loop}.
 */
final class Values {

    private Values() {}

    /** Python's None. */
    enum None {
        NONE
    }

    /**
     * Jinja's Undefined: empty and false, and an error for whoever wants more of it.
     *
     * @param reason what is not there
     */
    record Undefined(String reason) {

        static Undefined name(String name) {
            return new Undefined("'%s' is undefined".formatted(name));
        }

        static Undefined member(Object of, String name) {
            return new Undefined("'%s' has no attribute '%s'".formatted(Python.type(of), name));
        }

        RenderError error() {
            return new RenderError("the chat template uses what is not there: " + reason);
        }
    }

    /** A list, which no template changes. */
    record ListValue(List<Object> items) {}

    /** A tuple. */
    record TupleValue(List<Object> items) {}

    /** A dict, in the order of its keys: {@link Str} and {@link Long}. */
    record DictValue(Map<Object, Object> entries) {}

    /**
     * What a dict's keys, values and items are, and a range.
     *
     * @param type Python's name
     */
    record View(String type, List<Object> items) {

        static final String RANGE = "range";

        boolean isRange() {
            return type.equals(RANGE);
        }
    }

    /**
     * An iterator, which is gone through once: what filters such as map and select give.
     *
     * @param depth how many iterators it asks, one through the other
     */
    record Lazy(Iterator<Object> items, int depth) {

        /** Each asks the next one by a call. */
        private static final int MAX_DEPTH = 50;

        /** Over items that are there. */
        static Lazy over(List<Object> items) {
            return new Lazy(items.iterator(), 0);
        }

        /** Over the items of another value, as they are asked for. */
        static Lazy over(Object source, Iterator<Object> items) {
            int depth = source instanceof Lazy lazy ? lazy.depth() + 1 : 0;
            if (depth > MAX_DEPTH) {
                throw new RenderError(
                        "the chat template filters a list more than %d times".formatted(MAX_DEPTH));
            }
            return new Lazy(items, depth);
        }
    }

    /** What {@code namespace()} makes: the one thing whose attributes a template may set. */
    static final class Namespace {

        private final Map<String, Object> attributes = new HashMap<>();

        Object get(String name) {
            Object value = attributes.get(name);
            return value == null ? Undefined.member(this, name) : value;
        }

        void set(String name, Object value) {
            attributes.put(name, value);
        }
    }

    /** A string that the filter safe has marked: it can be written and tested, nothing more. */
    record SafeText(Str text) {}

    /** A function or method that was named and not called: it can be tested, nothing more. */
    record Callable(String name) {}
}
