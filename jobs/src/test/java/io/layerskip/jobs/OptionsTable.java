package io.layerskip.jobs;

import io.layerskip.connectors.EnrichmentOptions;
import io.layerskip.connectors.KafkaOptions;
import io.layerskip.flink.LayerSkipOptions;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.flink.configuration.ConfigOption;

/** The table of all options, for the README. */
final class OptionsTable {

    private OptionsTable() {}

    /** Markdown, a row an option, ends with a line feed. */
    static String markdown() {
        return Stream.of(LayerSkipOptions.ALL, EnrichmentOptions.ALL, KafkaOptions.ALL)
                .flatMap(List::stream)
                .map(OptionsTable::row)
                .collect(
                        Collectors.joining(
                                "", "| option | default | what it does |\n|---|---|---|\n", ""));
    }

    private static String row(ConfigOption<?> option) {
        OptionText text = OptionText.of(option);
        return "| `%s` | %s | %s |\n"
                .formatted(
                        text.key(),
                        text.defaultValue().map(value -> "`" + value + "`").orElse(""),
                        text.description().replace("|", "\\|"));
    }
}
