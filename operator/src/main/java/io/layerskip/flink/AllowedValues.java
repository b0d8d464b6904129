package io.layerskip.flink;

import io.layerskip.engine.Range;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.description.BlockElement;
import org.apache.flink.configuration.description.Description;
import org.apache.flink.configuration.description.Formatter;
import org.apache.flink.configuration.description.TextElement;

/**
 * What an option may be: the check, and the words for it.
 *
 * <p>It ends the option's description. There, help and documentation show it, and {@link
 * OptionReader} finds the check: an option is defined in one place.
 *
 * @param <T> the option's type
 * @param check whether a value is allowed
 * @param words for what is allowed, such as "a folder"
 * @param required whether the option has to be set
 */
@Internal
public record AllowedValues<T>(Predicate<T> check, String words, boolean required)
        implements BlockElement {

    /** An option with everything that there is to it. */
    public static <T> ConfigOption<T> option(
            ConfigOption<T> option, AllowedValues<T> allowed, String description) {
        return option.withDescription(Description.builder().text(description).add(allowed).build());
    }

    /** An option that has to be set. */
    public static <T> ConfigOption<T> requiredOption(
            ConfigOption<T> option, AllowedValues<T> allowed, String description) {
        return option(option, new AllowedValues<>(allowed.check, allowed.words, true), description);
    }

    /** What an option that is defined here may be. */
    @SuppressWarnings("unchecked") // An option is given values of its own type.
    public static <T> AllowedValues<T> of(ConfigOption<T> option) {
        List<BlockElement> description = option.description().getBlocks();
        return (AllowedValues<T>) description.get(description.size() - 1);
    }

    public static <T> AllowedValues<T> matching(Predicate<T> check, String words) {
        return new AllowedValues<>(check, words, false);
    }

    /** Texts that are not blank. */
    public static AllowedValues<String> text(String words) {
        return matching(text -> !text.isBlank(), words);
    }

    public static AllowedValues<Double> number(Range range) {
        return matching(number -> range.contains(number), range.words());
    }

    public static <N extends Number> AllowedValues<N> wholeNumber(Range range) {
        return matching(
                number -> range.contains(number.doubleValue()), "a whole number, " + range.words());
    }

    public static AllowedValues<Boolean> trueOrFalse() {
        return matching(value -> true, "true or false");
    }

    /** The constants of an enum that has several, as Flink reads them: by their texts. */
    public static <E extends Enum<E>> AllowedValues<E> anyOf(Class<E> type) {
        String names =
                Stream.of(type.getEnumConstants())
                        .map(E::toString)
                        .collect(Collectors.joining(", "));
        return matching(value -> true, names.replaceFirst(", ([\\w-]+)$", " or $1"));
    }

    @Override
    public void format(Formatter formatter) {
        formatter.format(TextElement.text(" Allowed: " + words + (required ? ". Required." : ".")));
    }
}
