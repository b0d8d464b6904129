package io.layerskip.sql;

import io.layerskip.engine.GenerationParameters;
import io.layerskip.flink.LayerSkipConfiguration;
import io.layerskip.flink.LayerSkipOptions;
import io.layerskip.flink.OptionReader;
import java.io.Serializable;
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
        note(refusals, reader::throwIfRefused);
        List<LayerSkipConfiguration> configuration = new ArrayList<>();
        note(
                refusals,
                () -> {
                    configuration.add(LayerSkipConfiguration.from(prefixed));
                    configuration.get(0).checkAgainstModel(loader);
                });
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

    /** What every row asks of its generation. */
    GenerationParameters parameters() {
        GenerationParameters.Builder parameters = GenerationParameters.builder();
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
