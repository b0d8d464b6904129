package io.layerskip.flink;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.layerskip.engine.EngineSettings;
import io.layerskip.engine.GenerationParameters;
import io.layerskip.forward.Precision;
import io.layerskip.model.ModelLocation;
import java.io.IOException;
import java.io.InputStream;
import java.io.Serializable;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.streaming.api.datastream.AsyncDataStream;

/**
 * Checked values of {@link LayerSkipOptions}, as they travel with the job.
 *
 * <pre>{@code
 * Configuration options = new Configuration();
 * options.set(LayerSkipOptions.MODEL_PATH, "/models/layerskip-llama3.2-1B");
 * options.set(LayerSkipOptions.ASSISTANT_EARLY_EXIT, List.of(4));
 * LayerSkipConfiguration configuration = LayerSkipConfiguration.from(options);
 * }</pre>
 */
@PublicEvolving
public final class LayerSkipConfiguration implements Serializable {

    private static final long serialVersionUID = 1;

    /** Stands for "not set" where every allowed value is positive; OptionalInt cannot travel. */
    private static final int UNSET = 0;

    private static final String NO_FOLDER = "";

    private final String modelPath;
    private final ArrayList<Integer> exitLayers;
    private final String numAssistantTokens;
    private final double assistantConfidenceThreshold;
    private final int maxTokens;
    private final double temperature;
    private final int topK;
    private final double topP;
    private final Precision precision;
    private final String cacheFolder;
    private final int threads;
    private final int maxBatchSize;
    private final long kvCacheBytes;
    private final boolean prefixCaching;
    private final boolean splitSpecialTokens;
    private final int capacity;
    private final Duration requestTimeout;
    private final AsyncDataStream.OutputMode outputOrder;

    private LayerSkipConfiguration(Reader reader) {
        modelPath =
                reader.read(
                        LayerSkipOptions.MODEL_PATH,
                        path -> !path.isBlank(),
                        "a folder or classpath:NAME");
        exitLayers =
                new ArrayList<>(
                        reader.read(
                                LayerSkipOptions.ASSISTANT_EARLY_EXIT,
                                LayerSkipConfiguration::areLayers,
                                "one or more different layers, each at least 1, such as 2 or 2;3"));
        numAssistantTokens =
                reader.read(
                        LayerSkipOptions.NUM_ASSISTANT_TOKENS,
                        LayerSkipConfiguration::isDraftLength,
                        LayerSkipOptions.AUTO
                                + " or "
                                + GenerationParameters.NUM_ASSISTANT_TOKENS.words());
        assistantConfidenceThreshold =
                reader.read(
                        LayerSkipOptions.ASSISTANT_CONFIDENCE_THRESHOLD,
                        EngineSettings.CONFIDENCE_THRESHOLD::contains,
                        EngineSettings.CONFIDENCE_THRESHOLD.words());
        maxTokens = reader.readPositive(LayerSkipOptions.MAX_TOKENS).orElse(UNSET);
        temperature =
                reader.read(
                        LayerSkipOptions.TEMPERATURE,
                        GenerationParameters.TEMPERATURE::contains,
                        GenerationParameters.TEMPERATURE.words());
        topK = reader.read(LayerSkipOptions.TOP_K, k -> k >= 0, "a whole number, at least 0");
        topP =
                reader.read(
                        LayerSkipOptions.TOP_P,
                        GenerationParameters.TOP_P::contains,
                        GenerationParameters.TOP_P.words());
        precision = reader.read(LayerSkipOptions.PRECISION, value -> true, "FP32, INT8 or INT4");
        cacheFolder =
                reader.readOptional(
                                LayerSkipOptions.CACHE_FOLDER,
                                folder -> !folder.isBlank(),
                                "a folder")
                        .orElse(NO_FOLDER);
        threads = reader.readPositive(LayerSkipOptions.THREADS).orElse(UNSET);
        maxBatchSize =
                reader.read(
                        LayerSkipOptions.MAX_BATCH_SIZE,
                        size -> EngineSettings.BATCH_SIZE.contains(size),
                        EngineSettings.BATCH_SIZE.words());
        kvCacheBytes =
                reader.readOptional(
                                LayerSkipOptions.KV_CACHE_MEMORY,
                                size -> size.getBytes() > 0,
                                "a size above 0, such as 256 mb")
                        .map(MemorySize::getBytes)
                        .orElse((long) UNSET);
        prefixCaching =
                reader.read(LayerSkipOptions.PREFIX_CACHING, value -> true, "true or false");
        splitSpecialTokens =
                reader.read(LayerSkipOptions.SPLIT_SPECIAL_TOKENS, value -> true, "true or false");
        capacity = reader.readPositive(LayerSkipOptions.CAPACITY).orElseThrow();
        requestTimeout =
                reader.read(
                        LayerSkipOptions.REQUEST_TIMEOUT,
                        timeout -> timeout.compareTo(Duration.ofMillis(1)) >= 0,
                        "a duration of at least 1 ms, such as 5 min");
        outputOrder =
                reader.read(LayerSkipOptions.OUTPUT_ORDER, order -> true, "ORDERED or UNORDERED");
    }

    /**
     * Reads the options.
     *
     * @throws IllegalConfigurationException if a value is not allowed or an option that starts with
     *     {@value LayerSkipOptions#PREFIX} is unknown; names each of them, one a line
     */
    public static LayerSkipConfiguration from(ReadableConfig config) {
        Reader reader = new Reader(config);
        reader.refuseUnknown();
        LayerSkipConfiguration configuration = new LayerSkipConfiguration(reader);
        reader.throwIfRefused();
        return configuration;
    }

    /**
     * Checks the exit layers against the model's config.json if that can be read here; if not, the
     * TaskManager finds out when it opens the model.
     *
     * @param loader looks for a model on the class path
     * @throws IllegalConfigurationException if the model has no such layer to exit after
     */
    public void checkAgainstModel(ClassLoader loader) {
        JsonNode layers;
        try (InputStream config = model().openFile("config.json", loader)) {
            layers = new ObjectMapper().readTree(config).path("num_hidden_layers");
        } catch (IOException e) {
            return;
        }
        if (layers.isInt() && exitLayers.stream().anyMatch(exit -> exit >= layers.intValue())) {
            throw new IllegalConfigurationException(
                    refusal(
                            LayerSkipOptions.ASSISTANT_EARLY_EXIT,
                            join(exitLayers),
                            "from 1 to %d; %s has %d layers"
                                    .formatted(
                                            layers.intValue() - 1, modelPath, layers.intValue())));
        }
    }

    /** Where the model is. */
    public ModelLocation model() {
        return new ModelLocation(modelPath);
    }

    /** Whether the text of a special token in a prompt is text like any other. */
    public boolean splitSpecialTokens() {
        return splitSpecialTokens;
    }

    /** Most requests in flight in a subtask. */
    public int capacity() {
        return capacity;
    }

    /** How long a request may take, waiting included. */
    public Duration requestTimeout() {
        return requestTimeout;
    }

    /** Whether results leave in the order of their requests. */
    public AsyncDataStream.OutputMode outputOrder() {
        return outputOrder;
    }

    /**
     * What the engine of one slot runs with.
     *
     * @param slots that share this machine's cores, at least 1
     */
    public EngineSettings toEngineSettings(int slots) {
        int share = Math.max(1, Runtime.getRuntime().availableProcessors() / slots);
        EngineSettings.Builder settings =
                EngineSettings.builder()
                        .exitLayers(exitLayers)
                        .assistantConfidenceThreshold(assistantConfidenceThreshold)
                        .defaults(defaults())
                        .precision(precision)
                        .threads(threads == UNSET ? share : threads)
                        .maxBatchSize(maxBatchSize)
                        .kvCacheBytes(
                                kvCacheBytes == UNSET
                                        ? EngineSettings.defaultKvCacheBytes(slots)
                                        : kvCacheBytes)
                        .prefixCaching(prefixCaching);
        if (!cacheFolder.equals(NO_FOLDER)) {
            settings.cacheFolder(Path.of(cacheFolder));
        }
        return settings.build();
    }

    private GenerationParameters defaults() {
        GenerationParameters.Builder defaults =
                GenerationParameters.builder().temperature(temperature).topK(topK).topP(topP);
        if (!numAssistantTokens.equals(LayerSkipOptions.AUTO)) {
            defaults.numAssistantTokens(Integer.parseInt(numAssistantTokens));
        }
        if (maxTokens != UNSET) {
            defaults.maxTokens(maxTokens);
        }
        return defaults.build();
    }

    private static boolean isDraftLength(String value) {
        // At most nine digits, so that parsing cannot overflow.
        return value.equals(LayerSkipOptions.AUTO)
                || value.matches("[0-9]{1,9}")
                        && Integer.parseInt(value) <= GenerationParameters.MAX_ASSISTANT_TOKENS;
    }

    private static boolean areLayers(List<Integer> layers) {
        return !layers.isEmpty()
                && layers.stream().allMatch(layer -> layer >= 1)
                && layers.stream().distinct().count() == layers.size();
    }

    private static String join(List<?> values) {
        return values.stream().map(Object::toString).collect(Collectors.joining(";"));
    }

    private static String refusal(ConfigOption<?> option, String value, String allowed) {
        return "option " + option.key() + " is " + value + "; allowed: " + allowed;
    }

    /** Reads options one by one and remembers what it refused. */
    private static final class Reader {

        private final ReadableConfig config;
        private final List<String> refusals = new ArrayList<>();

        Reader(ReadableConfig config) {
            this.config = config;
        }

        /** The value, or the default in place of one that is refused. */
        <T> T read(ConfigOption<T> option, Predicate<T> isAllowed, String allowed) {
            return readOptional(option, isAllowed, allowed).orElseGet(option::defaultValue);
        }

        Optional<Integer> readPositive(ConfigOption<Integer> option) {
            Optional<Integer> value =
                    readOptional(option, number -> number >= 1, "a whole number, at least 1");
            return value.isPresent() ? value : Optional.ofNullable(option.defaultValue());
        }

        private <T> Optional<T> readOptional(
                ConfigOption<T> option, Predicate<T> isAllowed, String allowed) {
            try {
                Optional<T> value = config.getOptional(option);
                if (value.isEmpty() || isAllowed.test(value.get())) {
                    return value;
                }
            } catch (IllegalArgumentException e) {
                // Not of the option's type: refused below like any other value.
            }
            refusals.add(refusal(option, config.toMap().get(option.key()), allowed));
            return Optional.empty();
        }

        void refuseUnknown() {
            List<String> known = LayerSkipOptions.ALL.stream().map(ConfigOption::key).toList();
            for (String key : new TreeSet<>(config.toMap().keySet())) {
                if (key.startsWith(LayerSkipOptions.PREFIX) && !known.contains(key)) {
                    refusals.add(
                            "option %s is unknown; known: %s"
                                    .formatted(key, String.join(", ", known)));
                }
            }
        }

        void throwIfRefused() {
            if (!refusals.isEmpty()) {
                throw new IllegalConfigurationException(String.join("\n", refusals));
            }
        }
    }
}
