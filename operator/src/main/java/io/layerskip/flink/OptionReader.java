package io.layerskip.flink;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.ReadableConfig;

/** Holds options to what they {@link AllowedValues allow}, and remembers what it refused. */
@Internal
public final class OptionReader {

    private final Configuration options;
    private final List<String> refusals = new ArrayList<>();
    private final Set<String> refused = new HashSet<>();

    /**
     * Checks the options that start with a prefix.
     *
     * @param known all of them
     * @param open further keys may start with these, and are left to the caller
     */
    public OptionReader(
            ReadableConfig config, String prefix, List<ConfigOption<?>> known, String... open) {
        Map<String, String> values = new TreeMap<>(config.toMap());
        values.keySet().removeIf(key -> !key.startsWith(prefix));
        options = Configuration.fromMap(values);
        List<String> names =
                Stream.concat(
                                known.stream().map(ConfigOption::key),
                                Stream.of(open).map(start -> start + "*"))
                        .toList();
        for (String key : values.keySet()) {
            if (!names.contains(key) && Stream.of(open).noneMatch(key::startsWith)) {
                refuse("option %s is unknown; known: %s".formatted(key, String.join(", ", names)));
            }
        }
        known.forEach(this::check);
    }

    /** Checks one more option. One that is refused is taken out, and reads as its default. */
    public <T> void check(ConfigOption<T> option) {
        AllowedValues<T> allowed = AllowedValues.of(option);
        try {
            if (options.getOptional(option)
                    .map(allowed.check()::test)
                    .orElse(!allowed.required())) {
                return;
            }
        } catch (IllegalArgumentException | ArithmeticException e) {
            // Not of the option's type, or beyond it: refused like any other value.
        }
        String value = Optional.ofNullable(options.getValue(option)).orElse("missing");
        refuse(option, value, allowed.words());
        options.removeConfig(option);
    }

    /** Remembers an option that is not as it should be. */
    public void refuse(ConfigOption<?> option, Object found, String allowed) {
        refused.add(option.key());
        refuse(refusal(option, found, allowed));
    }

    /** Whether an option was refused, and so reads as if it were not set. */
    public boolean hasRefused(ConfigOption<?> option) {
        return refused.contains(option.key());
    }

    /** Remembers anything else that should not be. */
    public void refuse(String refusal) {
        refusals.add(refusal);
    }

    /** The words for an option that is not as it should be. */
    public static String refusal(ConfigOption<?> option, Object found, String allowed) {
        return "option " + option.key() + " is " + found + "; allowed: " + allowed;
    }

    /** The options with the prefix, as far as they were not refused. */
    public Configuration options() {
        return options;
    }

    /**
     * @throws IllegalConfigurationException if anything was refused; names each of it, one a line
     */
    public void throwIfRefused() {
        if (!refusals.isEmpty()) {
            throw new IllegalConfigurationException(String.join("\n", refusals));
        }
    }
}
