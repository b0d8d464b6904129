package io.layerskip.jobs;

import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.description.HtmlFormatter;
import org.apache.flink.util.TimeUtils;

/**
 * An option as help texts and documentation show it.
 *
 * @param key the option's name
 * @param defaultValue its default as one would write it; empty if it has none
 * @param description what it does
 */
record OptionText(String key, Optional<String> defaultValue, String description) {

    static OptionText of(ConfigOption<?> option) {
        return new OptionText(
                option.key(),
                Optional.ofNullable(option.defaultValue()).map(OptionText::write),
                new HtmlFormatter().format(option.description()));
    }

    private static String write(Object value) {
        if (value instanceof List<?> list) {
            return list.stream().map(OptionText::write).collect(Collectors.joining(";"));
        }
        if (value instanceof Duration duration) {
            return TimeUtils.formatWithHighestUnit(duration);
        }
        return value.toString();
    }
}
