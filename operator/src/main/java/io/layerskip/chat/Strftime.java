package io.layerskip.chat;

import java.time.Instant;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * Python's {@code strftime} in English and in UTC, so that a date does not depend on the machine.
 */
final class Strftime {

    /** Each directive, as {@link DateTimeFormatter} spells it. */
    private static final Map<Character, String> PATTERNS =
            Map.ofEntries(
                    Map.entry('a', "EEE"),
                    Map.entry('A', "EEEE"),
                    Map.entry('b', "MMM"),
                    Map.entry('B', "MMMM"),
                    Map.entry('d', "dd"),
                    Map.entry('D', "MM/dd/yy"),
                    Map.entry('f', "SSSSSS"),
                    Map.entry('F', "uuuu-MM-dd"),
                    Map.entry('h', "MMM"),
                    Map.entry('H', "HH"),
                    Map.entry('I', "hh"),
                    Map.entry('j', "DDD"),
                    Map.entry('m', "MM"),
                    Map.entry('M', "mm"),
                    Map.entry('p', "a"),
                    Map.entry('S', "ss"),
                    Map.entry('T', "HH:mm:ss"),
                    Map.entry('y', "yy"),
                    Map.entry('Y', "uuuu"));

    private Strftime() {}

    /** The first directive that is not supported, if any. */
    static Optional<String> unsupported(String format) {
        for (int i = format.indexOf('%'); i >= 0; i = format.indexOf('%', i)) {
            int length = directiveLength(format, i);
            String directive = format.substring(i, Math.min(i + length, format.length()));
            if (i + length > format.length() || !isSupported(directive)) {
                return Optional.of(directive);
            }
            i += length;
        }
        return Optional.empty();
    }

    private static int directiveLength(String format, int at) {
        return format.startsWith("%-", at) ? 3 : 2;
    }

    private static boolean isSupported(String directive) {
        char letter = directive.charAt(directive.length() - 1);
        return directive.length() == 3
                ? "dHIjmMSy".indexOf(letter) >= 0
                : letter == '%' || letter == 'e' || PATTERNS.containsKey(letter);
    }

    /** A format with the directives replaced; all else in it keeps its origin. */
    static Str format(Budget budget, Str pattern, Instant now) {
        String format = pattern.text();
        budget.takeText(format.length());
        unsupported(format)
                .ifPresent(
                        directive -> {
                            throw new RenderError(
                                    "the chat template formats the date with %s, which is not supported"
                                            .formatted(directive));
                        });
        ZonedDateTime time = now.atZone(ZoneOffset.UTC);
        Str.Builder formatted = new Str.Builder();
        int from = 0;
        for (int i = format.indexOf('%'); i >= 0; i = format.indexOf('%', from)) {
            budget.take(1);
            int to = i + directiveLength(format, i);
            formatted
                    .append(pattern, from, i)
                    .append(value(format.substring(i, to), time), pattern.isMessageAt(i));
            from = to;
        }
        Str whole = formatted.append(pattern, from, format.length()).build();
        budget.checkLength(whole.text().length());
        return whole;
    }

    private static String value(String directive, ZonedDateTime time) {
        char letter = directive.charAt(directive.length() - 1);
        if (letter == '%') {
            return "%";
        } else if (letter == 'e') {
            return "%2d".formatted(time.getDayOfMonth());
        }
        String value = DateTimeFormatter.ofPattern(PATTERNS.get(letter), Locale.US).format(time);
        return directive.length() == 3 ? value.replaceFirst("^0+(?=.)", "") : value;
    }
}
