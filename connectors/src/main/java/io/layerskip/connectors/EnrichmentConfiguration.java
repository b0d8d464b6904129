package io.layerskip.connectors;

import io.layerskip.chat.Chat;
import io.layerskip.chat.ChatMessage;
import io.layerskip.connectors.EnrichmentOptions.OutputFormat;
import io.layerskip.engine.GenerationParameters;
import io.layerskip.flink.AllowedValues;
import io.layerskip.flink.LayerSkipOptions;
import io.layerskip.flink.OptionReader;
import java.io.Serializable;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.ReadableConfig;

/** Checked values of {@link EnrichmentOptions}. */
@PublicEvolving
public final class EnrichmentConfiguration implements Serializable {

    private static final long serialVersionUID = 1;

    /** Those that name fields of the record to write to. */
    private static final List<ConfigOption<String>> FIELDS =
            List.of(
                    EnrichmentOptions.OUTPUT_FIELD,
                    EnrichmentOptions.USAGE_FIELD,
                    EnrichmentOptions.CONFIDENCE_FIELD);

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
        if (systemPrompt().isPresent() && !isChat()) {
            reader.refuse(
                    EnrichmentOptions.SYSTEM_PROMPT,
                    "set, and " + EnrichmentOptions.CHAT.key() + " is false",
                    AllowedValues.of(EnrichmentOptions.SYSTEM_PROMPT).words());
        }
        checkFieldsDiffer(reader);
    }

    private void checkFieldsDiffer(OptionReader reader) {
        Map<ConfigOption<String>, RecordPath> others = new LinkedHashMap<>();
        for (ConfigOption<String> option : FIELDS) {
            Optional<RecordPath> field = field(option);
            others.forEach(
                    (other, taken) ->
                            field.filter(taken::overlaps)
                                    .ifPresent(
                                            path ->
                                                    reader.refuse(
                                                            option,
                                                            path,
                                                            "another field than %s, %s"
                                                                    .formatted(
                                                                            other.key(), taken))));
            field.ifPresent(path -> others.put(option, path));
        }
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

    /** A chat as they will be, for the model's template to be tried on; empty if none will be. */
    public Optional<Chat> sampleChat() {
        return chat("a prompt", Instant.now());
    }

    /**
     * The chat whose last message is a prompt; empty if prompts are completed as they are.
     *
     * @param created when it was asked
     */
    Optional<Chat> chat(String prompt, Instant created) {
        if (!isChat()) {
            return Optional.empty();
        }
        List<ChatMessage> messages = new ArrayList<>();
        systemPrompt().ifPresent(text -> messages.add(new ChatMessage("system", text)));
        messages.add(new ChatMessage("user", prompt));
        return Optional.of(Chat.of(messages, created));
    }

    private boolean isChat() {
        return options.get(EnrichmentOptions.CHAT);
    }

    private Optional<String> systemPrompt() {
        return options.getOptional(EnrichmentOptions.SYSTEM_PROMPT);
    }

    RecordPath outputField() {
        return field(EnrichmentOptions.OUTPUT_FIELD).orElseThrow();
    }

    Optional<RecordPath> usageField() {
        return field(EnrichmentOptions.USAGE_FIELD);
    }

    Optional<RecordPath> confidenceField() {
        return field(EnrichmentOptions.CONFIDENCE_FIELD);
    }

    /** All the fields that are written. */
    List<RecordPath> writtenFields() {
        return FIELDS.stream().flatMap(option -> field(option).stream()).toList();
    }

    private Optional<RecordPath> field(ConfigOption<String> option) {
        return Optional.ofNullable(options.get(option)).map(RecordPath::parse);
    }

    OutputFormat outputFormat() {
        return options.get(EnrichmentOptions.OUTPUT_FORMAT);
    }

    /** What each record's request asks for. */
    GenerationParameters parameters() {
        return GenerationParameters.builder()
                .stop(options.get(EnrichmentOptions.STOP).toArray(String[]::new))
                .returnConfidence(confidenceField().isPresent())
                .build();
    }
}
