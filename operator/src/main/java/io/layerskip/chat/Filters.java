package io.layerskip.chat;

import io.layerskip.chat.StrMethods.Ends;
import io.layerskip.chat.Values.DictValue;
import io.layerskip.chat.Values.Lazy;
import io.layerskip.chat.Values.ListValue;
import io.layerskip.chat.Values.None;
import io.layerskip.chat.Values.SafeText;
import io.layerskip.chat.Values.TupleValue;
import io.layerskip.chat.Values.Undefined;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Jinja's filters, {@code value|name(...)}; {@code tojson} is transformers'. Those that take
 * another filter or a test by its name are {@link Expression}s of their own.
 */
final class Filters {

    private static final Pattern INTEGER = Pattern.compile("[+-]?\\d+");
    private static final Pattern FLOAT =
            Pattern.compile("[+-]?(\\d+\\.?\\d*|\\.\\d+)([eE][+-]?\\d+)?");

    /** Longer ones are no numbers that a template means. */
    private static final int MAX_NUMBER_CHARACTERS = 400;

    private static final int MAX_PRECISION = 300;

    @FunctionalInterface
    interface Body {
        Object apply(Rendering rendering, Object value, Arguments arguments);
    }

    /** A filter. */
    record Filter(String name, Signature signature, Body body) {

        /**
         * @throws RenderError if this filter does not take such a value
         */
        Object apply(Rendering rendering, Object value, Arguments arguments) {
            if (value instanceof SafeText && !TAKE_SAFE_TEXT.contains(name)) {
                throw Members.unsupported(value, "the filter " + name + " after safe");
            }
            return body.apply(rendering, value, arguments);
        }
    }

    /** The filters of a text that the filter safe has marked. */
    private static final Set<String> TAKE_SAFE_TEXT =
            Set.of("string", "safe", "tojson", "default", "d");

    private static final Map<String, Filter> BY_NAME =
            Stream.of(
                            text(
                                    "trim",
                                    "chars?",
                                    (b, s, a) -> StrMethods.strip(b, s, a.some(0), Ends.BOTH)),
                            text("upper", "", (b, s, a) -> s.upper()),
                            text("lower", "", (b, s, a) -> s.lower()),
                            text("capitalize", "", (b, s, a) -> StrMethods.capitalize(s)),
                            text("title", "", (b, s, a) -> title(s)),
                            text(
                                    "replace",
                                    "old new count?",
                                    (b, s, a) ->
                                            StrMethods.replace(
                                                    b,
                                                    s,
                                                    Texts.of(b, a.value(0)),
                                                    Texts.of(b, a.value(1)),
                                                    a.some(2)
                                                            .map(Arguments::requireInteger)
                                                            .orElse(-1))),
                            filter(
                                    "string",
                                    "",
                                    (r, value, a) ->
                                            value instanceof SafeText
                                                    ? value
                                                    : Texts.of(r.budget(), value)),
                            filter(
                                    "safe",
                                    "",
                                    (r, value, a) -> new SafeText(Texts.of(r.budget(), value))),
                            filter("length", "", (r, value, a) -> Python.length(r.budget(), value)),
                            filter("count", "", (r, value, a) -> Python.length(r.budget(), value)),
                            filter("default", "default_value? boolean?", Filters::orDefault),
                            filter("d", "default_value? boolean?", Filters::orDefault),
                            filter("first", "", Filters::first),
                            filter("last", "", Filters::last),
                            filter(
                                    "list",
                                    "",
                                    (r, value, a) ->
                                            new ListValue(Python.toList(r.budget(), value))),
                            filter("reverse", "", Filters::reverse),
                            filter("join", "d? attribute?", Filters::join),
                            filter("items", "", Filters::items),
                            filter("indent", "width? first? blank?", Filters::indent),
                            filter("int", "default?", Filters::toInteger),
                            filter("float", "default?", Filters::toFloat),
                            filter("abs", "", Filters::abs),
                            filter("round", "precision? method?", Filters::round),
                            filter("sum", "attribute? start?", Filters::sum),
                            filter(
                                    "min",
                                    "case_sensitive? attribute?",
                                    (r, value, a) -> extreme(r.budget(), value, a, -1)),
                            filter(
                                    "max",
                                    "case_sensitive? attribute?",
                                    (r, value, a) -> extreme(r.budget(), value, a, 1)),
                            filter("sort", "reverse? case_sensitive? attribute?", Filters::sort),
                            filter("unique", "case_sensitive? attribute?", Filters::unique),
                            filter("dictsort", "case_sensitive? by? reverse?", Filters::dictSort),
                            filter(
                                    "tojson",
                                    "ensure_ascii? indent? separators? sort_keys?",
                                    Filters::toJson))
                    .collect(Collectors.toMap(Filter::name, Function.identity()));

    private Filters() {}

    /** The filter of that name. */
    static Filter named(String name, Position position) throws ChatTemplateException {
        Filter filter = BY_NAME.get(name);
        if (filter == null) {
            throw ChatTemplateException.at(position, "unknown filter '%s'".formatted(name));
        }
        return filter;
    }

    private static Filter filter(String name, String parameters, Body body) {
        return new Filter(name, Signature.parse(parameters), body);
    }

    @FunctionalInterface
    private interface TextBody {
        Object apply(Budget budget, Str text, Arguments arguments);
    }

    /** A filter of a value's text. */
    private static Filter text(String name, String parameters, TextBody body) {
        return filter(
                name,
                parameters,
                (rendering, value, arguments) -> {
                    Str text = Texts.of(rendering.budget(), value);
                    rendering.budget().takeText(text.text().length());
                    return body.apply(rendering.budget(), text, arguments);
                });
    }

    /** Jinja's own title: words begin after white space, a hyphen or an opening bracket. */
    private static Str title(Str text) {
        return text.recased(
                previous ->
                        previous < 0 || Whitespace.is(previous) || "-({[<".indexOf(previous) >= 0,
                letter -> letter.toUpperCase(Locale.ROOT));
    }

    private static Object orDefault(Rendering rendering, Object value, Arguments arguments) {
        boolean isMissing =
                value instanceof Undefined || arguments.flag(1, false) && !Python.isTrue(value);
        return isMissing ? arguments.value(0, Str.EMPTY) : value;
    }

    private static Object first(Rendering rendering, Object value, Arguments arguments) {
        if (value instanceof Str text) {
            return text.isEmpty() ? noItem("first") : text.substring(0, text.offset(1));
        }
        Iterator<Object> items = Python.iterate(rendering.budget(), value);
        return items.hasNext() ? items.next() : noItem("first");
    }

    private static Object last(Rendering rendering, Object value, Arguments arguments) {
        if (value instanceof Lazy) {
            throw Members.unsupported(value, "the filter last");
        } else if (value instanceof Str text) {
            int length = text.text().length();
            return text.isEmpty()
                    ? noItem("last")
                    : text.substring(text.text().offsetByCodePoints(length, -1), length);
        }
        List<Object> items = Python.toList(rendering.budget(), value);
        return items.isEmpty() ? noItem("last") : items.get(items.size() - 1);
    }

    private static Undefined noItem(String which) {
        return new Undefined("there is no %s item".formatted(which));
    }

    private static Object reverse(Rendering rendering, Object value, Arguments arguments) {
        if (value instanceof Str) {
            return Members.slice(rendering.budget(), value, None.NONE, None.NONE, -1L);
        }
        List<Object> items = Python.toList(rendering.budget(), value);
        Collections.reverse(items);
        return value instanceof Lazy ? new ListValue(items) : Lazy.over(items);
    }

    private static Object join(Rendering rendering, Object value, Arguments arguments) {
        Str separator = Texts.of(rendering.budget(), arguments.value(0, Str.EMPTY));
        Optional<Object> path = arguments.some(1);
        if (path.isEmpty()) {
            return StrMethods.join(rendering.budget(), separator, value, false);
        }
        List<Object> items = new ArrayList<>();
        for (Object item : Python.toList(rendering.budget(), value)) {
            items.add(Members.at(rendering.budget(), item, path.get()));
        }
        return StrMethods.join(rendering.budget(), separator, new ListValue(items), false);
    }

    private static Object items(Rendering rendering, Object value, Arguments arguments) {
        if (value instanceof Undefined) {
            return Lazy.over(List.of());
        }
        return Lazy.over(Methods.items(requireDict(value, "items").entries()));
    }

    private static DictValue requireDict(Object value, String filter) {
        if (value instanceof DictValue dict) {
            return dict;
        }
        Python.requireDefined(value);
        throw Members.unsupported(value, "the filter " + filter);
    }

    private static Object indent(Rendering rendering, Object value, Arguments arguments) {
        Budget budget = rendering.budget();
        Str indention = indention(budget, arguments.value(0, 4L));
        Str newline = Str.ofTemplate("\n");
        List<Object> lines =
                StrMethods.splitLines(budget, Arguments.requireText(value).plus(newline), false)
                        .items();
        boolean blank = arguments.flag(2, false);
        Str.Builder indented = new Str.Builder();
        for (int i = 0; i < lines.size(); i++) {
            Str line = (Str) lines.get(i);
            boolean isIndented = i == 0 ? arguments.flag(1, false) : blank || !line.isEmpty();
            if (i > 0) {
                indented.append(newline);
            }
            if (isIndented) {
                budget.takeText(indention.text().length());
                indented.append(indention);
            }
            indented.append(line);
            budget.checkLength(indented.length());
        }
        return indented.build();
    }

    private static Object toInteger(Rendering rendering, Object value, Arguments arguments) {
        Python.requireDefined(value);
        Object absent = arguments.value(0, 0L);
        if (value instanceof Str text) {
            String digits = number(rendering.budget(), text);
            if (INTEGER.matcher(digits).matches()) {
                return parseLong(digits);
            }
            return FLOAT.matcher(digits).matches()
                    ? truncated(Double.parseDouble(digits), absent)
                    : absent;
        } else if (Python.isNumber(value)) {
            Number number = Python.number(value);
            return number instanceof Double real ? truncated(real, absent) : number;
        }
        return absent;
    }

    private static String number(Budget budget, Str text) {
        budget.takeText(text.text().length());
        String stripped = StrMethods.strip(budget, text, Optional.empty(), Ends.BOTH).text();
        boolean isOther =
                stripped.length() > MAX_NUMBER_CHARACTERS
                        || stripped.indexOf('_') >= 0
                        || stripped.codePoints().anyMatch(c -> c > '~' && Character.isDigit(c));
        if (isOther && stripped.codePoints().anyMatch(Character::isDigit)) {
            throw new RenderError("the chat template reads a number in an unusual spelling");
        }
        return stripped;
    }

    private static Object parseLong(String digits) {
        try {
            return Long.parseLong(digits);
        } catch (NumberFormatException e) {
            throw new RenderError("the chat template reads an int of more than 64 bits");
        }
    }

    private static Object truncated(double value, Object absent) {
        if (!Double.isFinite(value)) {
            return absent;
        } else if (Math.abs(value) >= Long.MAX_VALUE) {
            throw new RenderError("the chat template makes an int of more than 64 bits");
        }
        return (long) value;
    }

    private static Object toFloat(Rendering rendering, Object value, Arguments arguments) {
        Python.requireDefined(value);
        if (Python.isNumber(value)) {
            return Python.number(value).doubleValue();
        } else if (value instanceof Str text) {
            String digits = number(rendering.budget(), text);
            if (FLOAT.matcher(digits).matches()) {
                return Double.parseDouble(digits);
            }
            String word = digits.replaceFirst("^[+-]", "").toLowerCase(Locale.ROOT);
            if (word.equals("nan") || word.equals("inf") || word.equals("infinity")) {
                throw new RenderError("the chat template reads a float that is not finite");
            }
        }
        return arguments.value(0, 0.0);
    }

    private static Object abs(Rendering rendering, Object value, Arguments arguments) {
        Python.requireDefined(value);
        return Python.isNumber(value) && Python.compare(rendering.budget(), value, 0L) < 0
                ? Arithmetic.negated(value)
                : Arithmetic.apply(rendering.budget(), "+", value, 0L);
    }

    private static Object round(Rendering rendering, Object value, Arguments arguments) {
        Python.requireDefined(value);
        int precision = arguments.integer(0, 0);
        String method = arguments.value(1, Str.ofTemplate("common")).toString();
        boolean isNumber = value instanceof Long || value instanceof Double;
        if (!isNumber || !method.equals("common") || Math.abs(precision) > MAX_PRECISION) {
            throw Members.unsupported(value, "the filter round with '%s'".formatted(method));
        }
        if (value instanceof Long number) {
            return precision >= 0
                    ? number
                    : (Object)
                            new BigDecimal(number)
                                    .setScale(precision, RoundingMode.HALF_EVEN)
                                    .longValue();
        }
        double real = (Double) value;
        if (!Double.isFinite(real)) {
            return real;
        }
        BigDecimal rounded = new BigDecimal(real).setScale(precision, RoundingMode.HALF_EVEN);
        // A decimal has no negative zero.
        return Math.copySign(rounded.doubleValue(), real);
    }

    private static Object sum(Rendering rendering, Object value, Arguments arguments) {
        Object sum = arguments.value(1, 0L);
        for (Object item : Python.toList(rendering.budget(), value)) {
            Object part =
                    arguments
                            .some(0)
                            .map(path -> Members.at(rendering.budget(), item, path))
                            .orElse(item);
            sum = Arithmetic.apply(rendering.budget(), "+", sum, part);
        }
        return sum;
    }

    /** What an item is compared by: the value at a path, in lower case if it is a text. */
    private static Object key(
            Budget budget, Object item, Optional<Object> path, boolean caseSensitive) {
        if (path.isPresent() && path.get().toString().contains(",")) {
            throw new RenderError(
                    "the chat template sorts by several attributes, which is not supported");
        }
        Object key = path.map(way -> Members.at(budget, item, way)).orElse(item);
        if (key instanceof Str text && !caseSensitive) {
            budget.takeText(text.text().length());
            return text.lower();
        }
        return key;
    }

    private static Object extreme(Budget budget, Object value, Arguments arguments, int sign) {
        boolean caseSensitive = arguments.flag(0, false);
        Iterator<Object> items = Python.iterate(budget, value);
        if (!items.hasNext()) {
            return new Undefined("there is no item to aggregate");
        }
        Object best = items.next();
        Object bestKey = key(budget, best, arguments.some(1), caseSensitive);
        while (items.hasNext()) {
            Object item = items.next();
            Object key = key(budget, item, arguments.some(1), caseSensitive);
            if (Python.compare(budget, key, bestKey) * sign > 0) {
                best = item;
                bestKey = key;
            }
        }
        return best;
    }

    /** An item and what it is compared by. */
    private record Keyed(Object key, Object item) {}

    private static ListValue sorted(Budget budget, List<Keyed> items, boolean reverse) {
        Comparator<Keyed> order =
                (a, b) -> {
                    budget.take(1);
                    return Python.compare(budget, a.key(), b.key());
                };
        return new ListValue(
                items.stream()
                        .sorted(reverse ? order.reversed() : order)
                        .map(Keyed::item)
                        .toList());
    }

    private static Object sort(Rendering rendering, Object value, Arguments arguments) {
        List<Keyed> items =
                Python.toList(rendering.budget(), value).stream()
                        .map(
                                item ->
                                        new Keyed(
                                                key(
                                                        rendering.budget(),
                                                        item,
                                                        arguments.some(2),
                                                        arguments.flag(1, false)),
                                                item))
                        .toList();
        return sorted(rendering.budget(), items, arguments.flag(0, false));
    }

    private static Object dictSort(Rendering rendering, Object value, Arguments arguments) {
        String by = arguments.value(1, Str.ofTemplate("key")).toString();
        if (!by.equals("key") && !by.equals("value")) {
            throw new RenderError("the chat template sorts a dict by '%s'".formatted(by));
        }
        int place = by.equals("key") ? 0 : 1;
        List<Keyed> items =
                Methods.items(requireDict(value, "dictsort").entries()).stream()
                        .map(
                                item ->
                                        new Keyed(
                                                key(
                                                        rendering.budget(),
                                                        ((TupleValue) item).items().get(place),
                                                        Optional.empty(),
                                                        arguments.flag(0, false)),
                                                item))
                        .toList();
        rendering.budget().take(items.size());
        return sorted(rendering.budget(), items, arguments.flag(2, false));
    }

    private static Object unique(Rendering rendering, Object value, Arguments arguments) {
        Budget budget = rendering.budget();
        List<Object> seen = new ArrayList<>();
        List<Object> unique = new ArrayList<>();
        for (Object item : Python.toList(budget, value)) {
            Object key = key(budget, item, arguments.some(1), arguments.flag(0, false));
            requireHashable(key);
            boolean isNew = true;
            for (int i = 0; i < seen.size() && isNew; i++) {
                budget.take(1);
                isNew = !Python.equal(budget, seen.get(i), key);
            }
            if (isNew) {
                seen.add(key);
                unique.add(item);
            }
        }
        return Lazy.over(unique);
    }

    private static void requireHashable(Object value) {
        if (value instanceof ListValue || value instanceof DictValue) {
            throw Members.unsupported(value, "the filter unique");
        } else if (value instanceof TupleValue tuple) {
            tuple.items().forEach(Filters::requireHashable);
        }
    }

    private static Object toJson(Rendering rendering, Object value, Arguments arguments) {
        Python.requireDefined(value);
        Optional<Str> indent = arguments.some(1).map(width -> indention(rendering.budget(), width));
        Optional<Object> separators = arguments.some(2);
        List<Object> pair =
                separators
                        .map(both -> Python.toList(rendering.budget(), both))
                        .orElse(
                                List.of(
                                        Str.ofTemplate(indent.isPresent() ? "," : ", "),
                                        Str.ofTemplate(": ")));
        if (pair.size() != 2) {
            throw new RenderError(
                    "the chat template gives tojson %d separators; 2 are expected"
                            .formatted(pair.size()));
        }
        return JsonText.of(
                rendering.budget(),
                value,
                new JsonText.Style(
                        indent,
                        Arguments.requireText(pair.get(0)),
                        Arguments.requireText(pair.get(1)),
                        arguments.flag(3, false),
                        arguments.flag(0, false)));
    }

    /** A text, or as many spaces as an int says. */
    private static Str indention(Budget budget, Object width) {
        return width instanceof Str text
                ? text
                : (Str)
                        Arithmetic.apply(
                                budget,
                                "*",
                                Str.ofTemplate(" "),
                                (long) Arguments.requireInteger(width));
    }
}
