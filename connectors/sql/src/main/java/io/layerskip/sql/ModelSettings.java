package io.layerskip.sql;

import io.layerskip.chat.Chat;
import io.layerskip.chat.ChatMessage;
import io.layerskip.engine.GenerationParameters;
import io.layerskip.flink.LayerSkipConfiguration;
import io.layerskip.flink.LayerSkipOptions;
import io.layerskip.flink.OptionReader;
import java.io.Serializable;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.factories.FactoryUtil;

/** Checked values of {@link LayerSkipModelOptions}, as they travel with the job. */
final class ModelSettings implements Serializable {

    private static final long serialVersionUID = 1;

    private final LayerSkipConfiguration configuration;
    private final Configuration own;

    private ModelSettings(LayerSkipConfiguration configuration, Configuration own) {
        this.configuration = configuration;
        this.own = own;
    }

    /**
     * Reads a model's options, and looks at its checkpoint where that can be read here.
     *
     * @param options of the model, those of Flink included
     * @param loader looks for a model on the class path
     * @throws ValidationException if a value is not allowed or an option is unknown; names each of
     *     them, one a line
     */
    static ModelSettings from(Map<String, String> options, ClassLoader loader) {
        Map<String, ConfigOption<?>> shared = LayerSkipModelOptions.shared();
        Configuration own = new Configuration();
        Configuration prefixed = new Configuration();
        List<String> refusals = new ArrayList<>();
        options.forEach(
                (key, value) -> {
                    if (shared.containsKey(key)) {
                        prefixed.setString(shared.get(key).key(), value);
                    } else if (isOwn(key)) {
                        own.setString(key, value);
                    } else if (!isFlinks(key)) {
                        refusals.add(LayerSkipModelOptions.refusal(key));
                    }
                });
        OptionReader reader = new OptionReader(own, "", LayerSkipModelOptions.OWN);
        Configuration read = reader.options();
        if (!own.contains(LayerSkipModelOptions.MAX_CONTEXT_SIZE)) {
            read.getOptional(LayerSkipModelOptions.CONTEXT_OVERFLOW_ACTION)
                    .ifPresent(
                            action ->
                                    reader.refuse(
                                            LayerSkipModelOptions.CONTEXT_OVERFLOW_ACTION,
                                            action,
                                            "only together with "
                                                    + LayerSkipModelOptions.MAX_CONTEXT_SIZE
                                                            .key()));
        }
        if (read.contains(LayerSkipModelOptions.SYSTEM_PROMPT)) {
            // What the template adds has to stay whole, and how many tokens that is shows only once
            // a prompt is rendered.
            read.getOptional(LayerSkipModelOptions.MAX_CONTEXT_SIZE)
                    .ifPresent(
                            size ->
                                    reader.refuse(
                                            LayerSkipModelOptions.MAX_CONTEXT_SIZE,
                                            size,
                                            "only without "
                                                    + LayerSkipModelOptions.SYSTEM_PROMPT.key()
                                                    + ", as a chat is not cut"));
        }
        note(refusals, reader::throwIfRefused);
        List<LayerSkipConfiguration> configuration = new ArrayList<>();
        note(
                refusals,
                () -> {
                    configuration.add(LayerSkipConfiguration.from(prefixed));
                    configuration.get(0).checkAgainstModel(loader);
                });
        if (!configuration.isEmpty()) {
            note(refusals, () -> new ModelSettings(configuration.get(0), read).checkChats(loader));
        }
        if (!refusals.isEmpty()) {
            throw new ValidationException(String.join("\n", refusals));
        }
        return new ModelSettings(configuration.get(0), read);
    }

    private static void note(List<String> refusals, Runnable check) {
        try {
            check.run();
        } catch (IllegalConfigurationException e) {
            refusals.add(LayerSkipModelOptions.named(e.getMessage()));
        }
    }

    private static boolean isOwn(String key) {
        return LayerSkipModelOptions.OWN.stream().anyMatch(option -> option.key().equals(key));
    }

    private static boolean isFlinks(String key) {
        return key.equals(FactoryUtil.PROVIDER.key())
                || key.equals(FactoryUtil.PROPERTY_VERSION.key());
    }

    /** What the engine runs with, and what a row gets that the options below do not say. */
    LayerSkipConfiguration configuration() {
        return configuration;
    }

    /**
     * Checks that the model renders the chats that rows are, if they are, and if its files can be
     * read here.
     *
     * @throws IllegalConfigurationException if it does not
     */
    void checkChats(ClassLoader loader) {
        Optional<Chat> sample = chat("a prompt", Instant.now());
        if (sample.isEmpty()) {
            return;
        }
        try {
            configuration.checkChats(loader, sample.get());
        } catch (IllegalConfigurationException e) {
            throw new IllegalConfigurationException(
                    OptionReader.refusal(
                            LayerSkipModelOptions.SYSTEM_PROMPT,
                            own.get(LayerSkipModelOptions.SYSTEM_PROMPT),
                            "only with a model that renders chats: " + e.getMessage()),
                    e);
        }
    }

    /** The chat that a row is; empty if its prompt is completed as it is. */
    Optional<Chat> chat(String prompt, Instant created) {
        return own.getOptional(LayerSkipModelOptions.SYSTEM_PROMPT)
                .map(
                        system ->
                                Chat.of(
                                        List.of(
                                                new ChatMessage("system", system),
                                                new ChatMessage("user", prompt)),
                                        created));
    }

    ResponseFormat responseFormat() {
        return own.get(LayerSkipModelOptions.RESPONSE_FORMAT);
    }

    /**
     * What every row asks of its generation.
     *
     * @param returnConfidence also how sure the model was
     */
    GenerationParameters parameters(boolean returnConfidence) {
        GenerationParameters.Builder parameters =
                GenerationParameters.builder().returnConfidence(returnConfidence);
        own.getOptional(LayerSkipModelOptions.PRESENCE_PENALTY)
                .ifPresent(parameters::presencePenalty);
        own.getOptional(LayerSkipModelOptions.FREQUENCY_PENALTY)
                .ifPresent(parameters::frequencyPenalty);
        own.getOptional(LayerSkipModelOptions.SEED).ifPresent(parameters::seed);
        own.getOptional(LayerSkipModelOptions.STOP)
                .map(LayerSkipModelOptions::stops)
                .ifPresent(parameters::stop);
        return parameters.build();
    }

    /** Most tokens of a prompt; empty for as many as the model takes. */
    Optional<Integer> maxContextSize() {
        return own.getOptional(LayerSkipModelOptions.MAX_CONTEXT_SIZE);
    }

    /** What becomes of a prompt that has more. */
    ContextOverflowAction contextOverflowAction() {
        return own.get(LayerSkipModelOptions.CONTEXT_OVERFLOW_ACTION);
    }

    /** Whether a row without a completion fails the job, where no column takes the reason. */
    ErrorHandlingStrategy errorHandlingStrategy() {
        return own.get(LayerSkipModelOptions.ERROR_HANDLING_STRATEGY);
    }

    /** The name here of the option that {@link LayerSkipConfiguration#requestTimeout} follows. */
    static String requestTimeoutName() {
        return LayerSkipModelOptions.name(LayerSkipOptions.REQUEST_TIMEOUT);
    }
}
