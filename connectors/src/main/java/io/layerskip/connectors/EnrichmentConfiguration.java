package io.layerskip.connectors;

import io.layerskip.connectors.EnrichmentOptions.OutputFormat;
import io.layerskip.engine.GenerationParameters;
import io.layerskip.flink.AllowedValues;
import io.layerskip.flink.LayerSkipOptions;
import io.layerskip.flink.OptionReader;
import java.io.Serializable;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.ReadableConfig;

/** Checked values of {@link EnrichmentOptions}. */
@PublicEvolving
public final class EnrichmentConfiguration implements Serializable {

    private static final long serialVersionUID = 1;

    private final Configuration options;

    private EnrichmentConfiguration(Configuration options) {
        this.options = options;
    }

    /**
     * Reads the options; others that start with {@value LayerSkipOptions#PREFIX} are not looked at.
     *
     * @throws IllegalConfigurationException if a value is missing or not allowed; names each of
     *     them, one a line
     */
    public static EnrichmentConfiguration from(ReadableConfig config) {
        OptionReader reader =
                new OptionReader(
                        config,
                        LayerSkipOptions.PREFIX,
                        EnrichmentOptions.ALL,
                        LayerSkipOptions.PREFIX);
        EnrichmentConfiguration configuration = new EnrichmentConfiguration(reader.options());
        configuration.check(reader);
        reader.throwIfRefused();
        return configuration;
    }

    private void check(OptionReader reader) {
        options.getOptional(EnrichmentOptions.PROMPT_TEMPLATE)
                .ifPresent(template -> checkTemplate(template, reader));
        usageField()
                .filter(usage -> usage.overlaps(outputField()))
                .ifPresent(
                        usage ->
                                reader.refuse(
                                        EnrichmentOptions.USAGE_FIELD,
                                        usage,
                                        "another field than %s, %s"
                                                .formatted(
                                                        EnrichmentOptions.OUTPUT_FIELD.key(),
                                                        outputField())));
    }

    private static void checkTemplate(String template, OptionReader reader) {
        try {
            new PromptTemplate(template);
        } catch (IllegalArgumentException e) {
            reader.refuse(
                    EnrichmentOptions.PROMPT_TEMPLATE,
                    "\"" + template + "\", and " + e.getMessage(),
                    AllowedValues.of(EnrichmentOptions.PROMPT_TEMPLATE).words());
        }
    }

    PromptTemplate promptTemplate() {
        return new PromptTemplate(options.get(EnrichmentOptions.PROMPT_TEMPLATE));
    }

    RecordPath outputField() {
        return RecordPath.parse(options.get(EnrichmentOptions.OUTPUT_FIELD));
    }

    Optional<RecordPath> usageField() {
        return options.getOptional(EnrichmentOptions.USAGE_FIELD).map(RecordPath::parse);
    }

    /** All the fields that are written. */
    List<RecordPath> writtenFields() {
        return Stream.concat(Stream.of(outputField()), usageField().stream()).toList();
    }

    OutputFormat outputFormat() {
        return options.get(EnrichmentOptions.OUTPUT_FORMAT);
    }

    /** What each record's request asks for. */
    GenerationParameters parameters() {
        return GenerationParameters.builder()
                .stop(options.get(EnrichmentOptions.STOP).toArray(String[]::new))
                .build();
    }
}
