package io.layerskip.chat;

import io.layerskip.chat.Values.Callable;
import io.layerskip.chat.Values.DictValue;
import io.layerskip.chat.Values.ListValue;
import io.layerskip.chat.Values.Namespace;
import io.layerskip.chat.Values.None;
import io.layerskip.chat.Values.SafeText;
import io.layerskip.chat.Values.TupleValue;
import io.layerskip.chat.Values.Undefined;
import io.layerskip.chat.Values.View;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** {@code value.name}, {@code value[item]} and {@code value[from:to:step]}. */
final class Members {

    private Members() {}

    /** {@code value.name}: first what Python has under that name, then what the value holds. */
    static Object attribute(Budget budget, Object value, String name) {
        Python.requireDefined(value);
        if (value instanceof Namespace namespace) {
            return namespace.get(name);
        } else if (value instanceof Loop loop) {
            return loop.attribute(name);
        } else if (isPythons(value, name)) {
            return pythons(value, name);
        }
        return held(budget, value, Str.ofTemplate(name))
                .orElseGet(() -> Undefined.member(value, name));
    }

    /** {@code value[item]}: first what the value holds, then what Python has under that name. */
    static Object item(Budget budget, Object value, Object item) {
        Python.requireDefined(value);
        Optional<Object> held = held(budget, value, item);
        if (held.isPresent()) {
            return held.get();
        }
        if (item instanceof Str name) {
            if (value instanceof Namespace || value instanceof Loop) {
                return attribute(budget, value, name.text());
            } else if (isPythons(value, name.text())) {
                return pythons(value, name.text());
            }
            return Undefined.member(value, name.text());
        }
        return new Undefined("'%s' has no such item".formatted(Python.type(value)));
    }

    private static boolean isPythons(Object value, String name) {
        boolean isInternal = name.startsWith("__") && name.endsWith("__");
        return isInternal || PythonNames.of(value).contains(name);
    }

    private static Object pythons(Object value, String name) {
        if (!Methods.isKnown(value, name)) {
            throw unsupported(value, name);
        }
        return new Callable(name);
    }

    static RenderError unsupported(Object value, String name) {
        return new RenderError(
                "the chat template uses '%s' of '%s', which is not supported"
                        .formatted(name, Python.type(value)));
    }

    private static Optional<Object> held(Budget budget, Object value, Object item) {
        if (value instanceof SafeText) {
            throw unsupported(value, "an item after safe");
        }
        if (value instanceof DictValue dict) {
            Object key = item instanceof Boolean ? Python.number(item) : item;
            if (key instanceof Double) {
                throw unsupported(value, "a float as a key");
            }
            return Optional.ofNullable(dict.entries().get(key));
        }
        if (!(item instanceof Long || item instanceof Boolean)) {
            return Optional.empty();
        }
        long index = Python.number(item).longValue();
        if (value instanceof Str text) {
            budget.takeText(text.text().length());
            int size = text.size();
            return place(index, size).map(i -> slice(text, (int) (long) i, (int) (i + 1)));
        }
        return Python.sequence(value)
                .flatMap(items -> place(index, items.size()).map(i -> items.get((int) (long) i)));
    }

    private static Str slice(Str text, int from, int to) {
        return text.substring(text.offset(from), text.offset(to));
    }

    private static Optional<Long> place(long index, int size) {
        long place = index < 0 ? index + size : index;
        return place >= 0 && place < size ? Optional.of(place) : Optional.empty();
    }

    /** {@code value[from:to:step]}, each of them an int or None. */
    static Object slice(Budget budget, Object value, Object from, Object to, Object step) {
        Python.requireDefined(value);
        long stride = step == None.NONE ? 1 : Arguments.requireInteger(step);
        if (stride == 0) {
            throw new RenderError("the chat template slices with a step of 0");
        }
        if (value instanceof Str text) {
            budget.takeText(text.text().length());
            return sliceText(text, new Range(from, to, stride, text.size()));
        } else if (value instanceof ListValue list) {
            return new ListValue(
                    sliceItems(
                            budget,
                            list.items(),
                            new Range(from, to, stride, list.items().size())));
        } else if (value instanceof TupleValue tuple) {
            return new TupleValue(
                    sliceItems(
                            budget,
                            tuple.items(),
                            new Range(from, to, stride, tuple.items().size())));
        }
        throw unsupported(value, "a slice");
    }

    private static Str sliceText(Str text, Range range) {
        if (range.stride == 1) {
            return slice(text, range.start, Math.max(range.start, range.stop));
        }
        int[] offsets = new int[text.size() + 1];
        for (int i = 0, offset = 0; i < offsets.length; i++) {
            offsets[i] = offset;
            offset +=
                    i + 1 < offsets.length
                            ? Character.charCount(text.text().codePointAt(offset))
                            : 0;
        }
        Str.Builder slice = new Str.Builder();
        for (int i : range.places()) {
            slice.append(text, offsets[i], offsets[i + 1]);
        }
        return slice.build();
    }

    private static List<Object> sliceItems(Budget budget, List<Object> items, Range range) {
        List<Integer> places = range.places();
        budget.take(places.size());
        return places.stream().map(items::get).toList();
    }

    /** The bounds of a slice, brought into a sequence as Python does. */
    private static final class Range {

        private final int start;
        private final int stop;
        private final long stride;

        Range(Object from, Object to, long stride, int size) {
            this.stride = stride;
            int least = stride > 0 ? 0 : -1;
            int most = stride > 0 ? size : size - 1;
            this.start = bound(from, stride > 0 ? least : most, least, most, size);
            this.stop = bound(to, stride > 0 ? most : least, least, most, size);
        }

        private static int bound(Object bound, int absent, int least, int most, int size) {
            if (bound == None.NONE) {
                return absent;
            }
            long place = Arguments.requireInteger(bound);
            return (int) Math.max(least, Math.min(most, place < 0 ? place + size : place));
        }

        List<Integer> places() {
            List<Integer> places = new ArrayList<>();
            for (long i = start; stride > 0 ? i < stop : i > stop; i += stride) {
                places.add((int) i);
            }
            return places;
        }
    }

    /**
     * The value at a path such as {@code function.name} or {@code 0}, as the filters map and
     * selectattr take it.
     */
    static Object at(Budget budget, Object value, Object path) {
        return at(budget, value, path, Optional.empty());
    }

    /**
     * The same.
     *
     * @param absent in place of a part that is undefined
     */
    static Object at(Budget budget, Object value, Object path, Optional<Object> absent) {
        List<Object> parts = path instanceof Str dotted ? parts(dotted.text()) : List.of(path);
        Object found = value;
        for (Object part : parts) {
            found = item(budget, found, part);
            if (found instanceof Undefined && absent.isPresent()) {
                found = absent.get();
            }
        }
        return found;
    }

    private static List<Object> parts(String path) {
        List<Object> parts = new ArrayList<>();
        for (String part : path.split("\\.", -1)) {
            boolean isIndex = !part.isEmpty() && part.chars().allMatch(c -> c >= '0' && c <= '9');
            parts.add(isIndex ? index(part) : Str.ofTemplate(part));
        }
        return parts;
    }

    private static Long index(String digits) {
        if (digits.length() > 9) {
            throw new RenderError("the chat template asks for item " + digits);
        }
        return Long.valueOf(digits);
    }

    /** Whether a value can be asked for items, as Jinja's test sequence finds out. */
    static boolean isSequence(Object value) {
        return value instanceof Str
                || value instanceof SafeText
                || value instanceof ListValue
                || value instanceof TupleValue
                || value instanceof DictValue
                || value instanceof Undefined
                || value instanceof View view && view.isRange();
    }
}
