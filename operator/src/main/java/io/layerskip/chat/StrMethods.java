package io.layerskip.chat;

import io.layerskip.chat.Values.ListValue;
import io.layerskip.chat.Values.TupleValue;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.IntPredicate;

/** What Python's {@code str} does, with the origin of every part kept. */
final class StrMethods {

    private static final String LINE_ENDS = "\n\u000b\f\r\u001c\u001d\u001e\u0085\u2028\u2029";

    private StrMethods() {}

    /** Which ends of a text are stripped. */
    enum Ends {
        BOTH,
        LEFT,
        RIGHT
    }

    /**
     * @param characters to strip; white space if there are none
     */
    static Str strip(Budget budget, Str text, Optional<Object> characters, Ends ends) {
        IntPredicate stripped =
                characters
                        .map(set -> among(budget, text, Arguments.requireText(set).text()))
                        .orElse(Whitespace::is);
        String string = text.text();
        int from = 0;
        int to = string.length();
        while (ends != Ends.RIGHT && from < to && stripped.test(string.codePointAt(from))) {
            from += Character.charCount(string.codePointAt(from));
        }
        while (ends != Ends.LEFT && from < to && stripped.test(string.codePointBefore(to))) {
            to -= Character.charCount(string.codePointBefore(to));
        }
        return text.substring(from, to);
    }

    private static IntPredicate among(Budget budget, Str text, String characters) {
        budget.takeSearch(text, characters);
        return c -> characters.indexOf(c) >= 0;
    }

    static ListValue split(Budget budget, Str text, Optional<Object> separator, long most) {
        if (separator.isEmpty()) {
            return splitAtWhitespace(budget, text, most);
        }
        String at = requireSeparator(separator.get());
        List<Object> parts = new ArrayList<>();
        budget.takeSearch(text, at);
        int from = 0;
        int found = text.text().indexOf(at);
        while (found >= 0 && (most < 0 || parts.size() < most)) {
            budget.take(1);
            parts.add(text.substring(from, found));
            from = found + at.length();
            found = text.text().indexOf(at, from);
        }
        parts.add(text.substring(from, text.text().length()));
        return new ListValue(parts);
    }

    static ListValue splitFromRight(
            Budget budget, Str text, Optional<Object> separator, long most) {
        if (separator.isEmpty()) {
            return splitAtWhitespaceFromRight(budget, text, most);
        }
        String at = requireSeparator(separator.get());
        List<Object> parts = new ArrayList<>();
        budget.takeSearch(text, at);
        int to = text.text().length();
        int found = text.text().lastIndexOf(at);
        while (found >= 0 && (most < 0 || parts.size() < most)) {
            budget.take(1);
            parts.add(text.substring(found + at.length(), to));
            to = found;
            found = to < at.length() ? -1 : text.text().lastIndexOf(at, to - at.length());
        }
        parts.add(text.substring(0, to));
        Collections.reverse(parts);
        return new ListValue(parts);
    }

    private static String requireSeparator(Object separator) {
        String text = Arguments.requireText(separator).text();
        if (text.isEmpty()) {
            throw new RenderError("the chat template splits at an empty separator");
        }
        return text;
    }

    private static ListValue splitAtWhitespace(Budget budget, Str text, long most) {
        String string = text.text();
        List<Object> parts = new ArrayList<>();
        int at = skip(string, 0, true);
        while (at < string.length()) {
            budget.take(1);
            if (most >= 0 && parts.size() == most) {
                parts.add(text.substring(at, string.length()));
                break;
            }
            int end = skip(string, at, false);
            parts.add(text.substring(at, end));
            at = skip(string, end, true);
        }
        return new ListValue(parts);
    }

    /** Where white space, or what is none, ends. */
    private static int skip(String text, int from, boolean whitespace) {
        int at = from;
        while (at < text.length() && Whitespace.is(text.charAt(at)) == whitespace) {
            at++;
        }
        return at;
    }

    private static ListValue splitAtWhitespaceFromRight(Budget budget, Str text, long most) {
        String string = text.text();
        List<Object> parts = new ArrayList<>();
        int to = skipBack(string, string.length(), true);
        while (to > 0) {
            budget.take(1);
            if (most >= 0 && parts.size() == most) {
                parts.add(text.substring(0, to));
                break;
            }
            int from = skipBack(string, to, false);
            parts.add(text.substring(from, to));
            to = skipBack(string, from, true);
        }
        Collections.reverse(parts);
        return new ListValue(parts);
    }

    private static int skipBack(String text, int to, boolean whitespace) {
        int at = to;
        while (at > 0 && Whitespace.is(text.charAt(at - 1)) == whitespace) {
            at--;
        }
        return at;
    }

    static ListValue splitLines(Budget budget, Str text, boolean keepEnds) {
        String string = text.text();
        List<Object> lines = new ArrayList<>();
        int from = 0;
        while (from < string.length()) {
            budget.take(1);
            int end = from;
            while (end < string.length() && LINE_ENDS.indexOf(string.charAt(end)) < 0) {
                end++;
            }
            int next =
                    string.startsWith("\r\n", end) ? end + 2 : Math.min(end + 1, string.length());
            lines.add(text.substring(from, keepEnds ? next : end));
            from = next;
        }
        return new ListValue(lines);
    }

    /** The part before a separator, it, and the part after it. */
    static TupleValue partition(Budget budget, Str text, Str separator, boolean last) {
        String at = requireSeparator(separator);
        budget.takeSearch(text, at);
        int found = last ? text.text().lastIndexOf(at) : text.text().indexOf(at);
        if (found < 0) {
            return last
                    ? new TupleValue(List.of(Str.EMPTY, Str.EMPTY, text))
                    : new TupleValue(List.of(text, Str.EMPTY, Str.EMPTY));
        }
        return new TupleValue(
                List.of(
                        text.substring(0, found),
                        separator,
                        text.substring(found + at.length(), text.text().length())));
    }

    /**
     * @param most replacements at the most; below 0 for all
     */
    static Str replace(Budget budget, Str text, Str old, Str replacement, long most) {
        budget.takeSearch(text, old.text());
        String string = text.text();
        Str.Builder replaced = new Str.Builder();
        int from = 0;
        long count = 0;
        int found = string.indexOf(old.text());
        while (found >= 0 && (most < 0 || count < most)) {
            budget.take(1);
            budget.checkLength((long) replaced.length() + replacement.text().length());
            replaced.append(text, from, found).append(replacement);
            count++;
            from = found + old.text().length();
            if (!old.isEmpty()) {
                found = string.indexOf(old.text(), from);
            } else if (found < string.length()) {
                found = string.offsetByCodePoints(found, 1);
            } else {
                break;
            }
        }
        budget.takeText((long) replaced.length() + string.length() - from);
        return replaced.append(text, from, string.length()).build();
    }

    static Str join(Budget budget, Str separator, Object items, boolean textsOnly) {
        Str.Builder joined = new Str.Builder();
        Iterator<Object> iterator = Python.iterate(budget, items);
        boolean isFirst = true;
        while (iterator.hasNext()) {
            Object item = iterator.next();
            Str text = textsOnly ? Arguments.requireText(item) : Texts.of(budget, item);
            budget.takeText(text.text().length() + separator.text().length());
            if (!isFirst) {
                joined.append(separator);
            }
            joined.append(text);
            budget.checkLength(joined.length());
            isFirst = false;
        }
        return joined.build();
    }

    /** The index of a part, in characters; -1 if it is not there. */
    static long find(Budget budget, Str text, Str part, boolean last) {
        budget.takeSearch(text, part.text());
        int found = last ? text.text().lastIndexOf(part.text()) : text.text().indexOf(part.text());
        return found < 0 ? -1 : text.text().codePointCount(0, found);
    }

    static long count(Budget budget, Str text, Str part) {
        budget.takeSearch(text, part.text());
        if (part.isEmpty()) {
            return text.size() + 1L;
        }
        long count = 0;
        for (int at = text.text().indexOf(part.text());
                at >= 0;
                at = text.text().indexOf(part.text(), at + part.text().length())) {
            count++;
        }
        return count;
    }

    /** Whether a text starts, or ends, with a text or with one of a tuple of them. */
    static boolean hasEdge(Str text, Object edges, boolean atStart) {
        List<Object> all = edges instanceof TupleValue tuple ? tuple.items() : List.of(edges);
        return all.stream()
                .map(edge -> Arguments.requireText(edge).text())
                .anyMatch(
                        edge ->
                                atStart
                                        ? text.text().startsWith(edge)
                                        : text.text().endsWith(edge));
    }

    static Str capitalize(Str text) {
        return text.recased(previous -> previous < 0, StrMethods::titleCase);
    }

    static Str title(Str text) {
        return text.recased(previous -> previous < 0 || !isCased(previous), StrMethods::titleCase);
    }

    private static String titleCase(String letter) {
        String upper = letter.toUpperCase(Locale.ROOT);
        int first = upper.offsetByCodePoints(0, 1);
        return first == upper.length()
                ? Character.toString(Character.toTitleCase(letter.codePointAt(0)))
                : upper.substring(0, first) + upper.substring(first).toLowerCase(Locale.ROOT);
    }

    private static boolean isCased(int c) {
        return Character.isUpperCase(c) || Character.isLowerCase(c) || Character.isTitleCase(c);
    }

    /** Whether there are letters with a case, and all of them have this one. */
    static boolean hasCase(Budget budget, Str text, IntPredicate isCase) {
        budget.take(text.text().length());
        return text.text().codePoints().anyMatch(StrMethods::isCased)
                && text.text().codePoints().filter(StrMethods::isCased).allMatch(isCase);
    }

    /** Whether there are characters, and all of them are such. */
    static boolean isAll(Budget budget, Str text, IntPredicate isSuch) {
        budget.take(text.text().length());
        return !text.isEmpty() && text.text().codePoints().allMatch(isSuch);
    }

    static boolean isDigit(int c) {
        if (Character.getType(c) == Character.OTHER_NUMBER) {
            throw new RenderError(
                    "the chat template asks whether '%s' is a digit, which is not supported"
                            .formatted(Character.toString(c)));
        }
        return Character.isDigit(c);
    }

    static boolean isAlphabetic(int c) {
        return switch (Character.getType(c)) {
            case Character.UPPERCASE_LETTER,
                    Character.LOWERCASE_LETTER,
                    Character.TITLECASE_LETTER,
                    Character.MODIFIER_LETTER,
                    Character.OTHER_LETTER ->
                    true;
            default -> false;
        };
    }

    /** {@code text.format(...)} with plain fields: {}, {0} or {name}. */
    static Str format(Budget budget, Str text, Arguments arguments) {
        String string = text.text();
        Str.Builder formatted = new Str.Builder();
        int next = 0;
        for (int i = 0; i < string.length(); ) {
            char c = string.charAt(i);
            if (c != '{' && c != '}') {
                formatted.append(text, i, ++i);
            } else if (i + 1 < string.length() && string.charAt(i + 1) == c) {
                formatted.append(text, i, i + 1);
                i += 2;
            } else {
                int close = string.indexOf('}', i);
                if (c == '}' || close < 0) {
                    throw new RenderError("the chat template formats with unbalanced braces");
                }
                String field = string.substring(i + 1, close);
                Object value =
                        field.isEmpty()
                                ? positional(arguments, next++)
                                : field.chars().allMatch(d -> d >= '0' && d <= '9')
                                                && field.length() < 4
                                        ? positional(arguments, Integer.parseInt(field))
                                        : arguments.keywords().get(field);
                if (value == null) {
                    throw new RenderError(
                            "the chat template formats with {%s}; supported are {}, {0} and {name}"
                                    .formatted(field));
                }
                Str part = Texts.of(budget, value);
                budget.takeText((long) formatted.length() + part.text().length());
                formatted.append(part);
                i = close + 1;
            }
        }
        return formatted.build();
    }

    private static Object positional(Arguments arguments, int place) {
        if (place >= arguments.more().size()) {
            throw new RenderError("the chat template formats with too few values");
        }
        return arguments.more().get(place);
    }
}
