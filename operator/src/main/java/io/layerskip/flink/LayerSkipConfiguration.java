package io.layerskip.flink;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.layerskip.chat.Chat;
import io.layerskip.chat.ChatFormat;
import io.layerskip.chat.ChatRenderingException;
import io.layerskip.engine.EngineSettings;
import io.layerskip.engine.GenerationParameters;
import io.layerskip.forward.LoadListener;
import io.layerskip.model.ChatSettings;
import io.layerskip.model.ModelFolder;
import io.layerskip.model.ModelLocation;
import io.layerskip.remote.RemoteModel;
import java.io.IOException;
import java.io.InputStream;
import java.io.Serializable;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.core.fs.UnsupportedFileSystemSchemeException;
import org.apache.flink.streaming.api.datastream.AsyncDataStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

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

    private static final Logger LOG = LoggerFactory.getLogger(LayerSkipConfiguration.class);

    private static final String CONFIG = "config.json";

    /** For one answer of a model's file system, while somebody waits for a job's submission. */
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    private final Configuration options;

    private LayerSkipConfiguration(Configuration options) {
        this.options = options;
    }

    /**
     * Reads the options.
     *
     * @throws IllegalConfigurationException if a value is not allowed or an option that starts with
     *     {@value LayerSkipOptions#PREFIX} is unknown; names each of them, one a line
     */
    public static LayerSkipConfiguration from(ReadableConfig config) {
        return from(config, List.of());
    }

    /**
     * Reads the options of a program that has others which start with {@value
     * LayerSkipOptions#PREFIX} too.
     *
     * @param others that are known, and checked too
     * @throws IllegalConfigurationException as {@link #from(ReadableConfig)}
     */
    public static LayerSkipConfiguration from(ReadableConfig config, List<ConfigOption<?>> others) {
        OptionReader reader =
                new OptionReader(
                        config,
                        LayerSkipOptions.PREFIX,
                        Stream.concat(LayerSkipOptions.ALL.stream(), others.stream()).toList());
        checkAddress(reader);
        reader.throwIfRefused();
        return new LayerSkipConfiguration(reader.options());
    }

    private static void checkAddress(OptionReader reader) {
        ModelLocation model = new ModelLocation(reader.options().get(LayerSkipOptions.MODEL_PATH));
        if (model.holdsPassword()) {
            // Not shown: what is refused is logged.
            reader.refuse(
                    LayerSkipOptions.MODEL_PATH,
                    "an address with a password in it",
                    "one without; credentials belong into Flink's configuration or where the file"
                            + " system looks for them otherwise");
        }
        if (model.isRemote()
                && reader.options().getOptional(LayerSkipOptions.CACHE_FOLDER).isEmpty()
                && !reader.hasRefused(LayerSkipOptions.CACHE_FOLDER)) {
            reader.refuse(
                    LayerSkipOptions.CACHE_FOLDER,
                    "missing",
                    AllowedValues.of(LayerSkipOptions.CACHE_FOLDER).words()
                            + ", which the model is fetched to, since "
                            + LayerSkipOptions.MODEL_PATH.key()
                            + " is an address");
        }
    }

    /**
     * Checks the exit layers against the model's config.json if that can be read here; if not, the
     * TaskManager finds out when it opens the model.
     *
     * @param loader looks for a model on the class path
     * @throws IllegalConfigurationException if the model has no such layer to exit after, or there
     *     is none at its address, or Flink has no file system for that
     */
    public void checkAgainstModel(ClassLoader loader) {
        JsonNode layers;
        try (OpenSettings settings = openSettings();
                InputStream config = settings.model().openFile(CONFIG, loader)) {
            layers = new ObjectMapper().readTree(config).path("num_hidden_layers");
        } catch (IOException e) {
            noteUnread(e);
            return;
        }
        List<Integer> exits = options.get(LayerSkipOptions.ASSISTANT_EARLY_EXIT);
        if (layers.isInt() && exits.stream().anyMatch(exit -> exit >= layers.intValue())) {
            throw new IllegalConfigurationException(
                    OptionReader.refusal(
                            LayerSkipOptions.ASSISTANT_EARLY_EXIT,
                            exits.stream().map(String::valueOf).collect(Collectors.joining(";")),
                            "from 1 to %d; %s has %d layers"
                                    .formatted(layers.intValue() - 1, model(), layers.intValue())));
        }
    }

    /**
     * Checks that the model renders chats, for a job that makes chats of its own, if its files can
     * be read here; if not, each chat is refused when the TaskManager has opened the model.
     *
     * @param loader looks for a model on the class path
     * @param sample a chat like those that the job makes: a template may refuse a role
     * @throws IllegalConfigurationException if it has no chat template, or one that cannot be
     *     interpreted or does not take the sample; or if there is no model at its address, or Flink
     *     has no file system for that
     */
    public void checkChats(ClassLoader loader, Chat sample) {
        try (OpenSettings settings = openSettings()) {
            settings.model().openFile(CONFIG, loader).close();
            checkChats(settings.model(), loader, sample);
        } catch (IOException e) {
            noteUnread(e);
        }
    }

    private void checkChats(ModelLocation settings, ClassLoader loader, Chat sample) {
        try {
            ChatFormat.of(ChatSettings.read(settings, loader)).render(sample);
        } catch (IOException | ChatRenderingException e) {
            throw new IllegalConfigurationException(
                    OptionReader.refusal(
                            LayerSkipOptions.MODEL_PATH,
                            model().name(),
                            "a checkpoint that renders chats; " + e.getMessage()),
                    e);
        }
    }

    /**
     * The small files of the model, on this machine.
     *
     * @param copy of those of a model at an address
     */
    private record OpenSettings(ModelLocation model, Optional<ModelFolder> copy)
            implements AutoCloseable {

        @Override
        public void close() {
            copy.ifPresent(ModelFolder::close);
        }
    }

    private OpenSettings openSettings() throws IOException {
        if (!model().isRemote()) {
            return new OpenSettings(model(), Optional.empty());
        }
        try {
            ModelFolder copy = RemoteModel.peek(model(), PATIENCE);
            return new OpenSettings(new ModelLocation(copy.path().toString()), Optional.of(copy));
        } catch (UnsupportedFileSystemSchemeException e) {
            throw withoutFileSystem(e);
        }
    }

    /**
     * A local path is the TaskManager's. An address is the same everywhere, but who submits a job
     * may have no access to it.
     */
    private void noteUnread(IOException e) {
        if (model().isRemote() && e.getCause() instanceof NoSuchFileException) {
            throw new IllegalConfigurationException(
                    OptionReader.refusal(
                            LayerSkipOptions.MODEL_PATH,
                            model().name(),
                            "the address of a checkpoint; " + e.getMessage()),
                    e);
        }
        if (model().isRemote()) {
            LOG.warn(
                    "The model cannot be looked at here, so it is checked where it is opened: {}",
                    e.getMessage());
        }
    }

    private IllegalConfigurationException withoutFileSystem(
            UnsupportedFileSystemSchemeException e) {
        return new IllegalConfigurationException(
                OptionReader.refusal(
                        LayerSkipOptions.MODEL_PATH,
                        model().name(),
                        "an address of a file system that Flink has here. Put its plugin, such as"
                                + " flink-s3-fs-hadoop for s3://, into a folder of its own in the"
                                + " folder plugins of Flink, or of FLINK_PLUGINS_DIR, on each"
                                + " machine that submits or runs the job"),
                e);
    }

    /**
     * The same with the model on this machine: one that is at an address is fetched, unless it was
     * before.
     *
     * @throws IllegalConfigurationException if Flink has no file system for the address
     * @throws io.layerskip.model.CheckpointException if a file is missing, cannot be read, or
     *     describes a model that is not served
     * @throws IOException if it cannot be written into the cache folder, or the thread is
     *     interrupted
     */
    LayerSkipConfiguration fetched(LoadListener listener) throws IOException {
        if (!model().isRemote()) {
            return this;
        }
        Path cacheFolder = Path.of(options.get(LayerSkipOptions.CACHE_FOLDER));
        try {
            Path folder = RemoteModel.fetch(model(), cacheFolder, listener);
            return new LayerSkipConfiguration(
                    new Configuration(options).set(LayerSkipOptions.MODEL_PATH, folder.toString()));
        } catch (UnsupportedFileSystemSchemeException e) {
            throw withoutFileSystem(e);
        }
    }

    /** Where the model is. */
    public ModelLocation model() {
        return new ModelLocation(options.get(LayerSkipOptions.MODEL_PATH));
    }

    /** Whether the text of a special token in a prompt is text like any other. */
    public boolean splitSpecialTokens() {
        return options.get(LayerSkipOptions.SPLIT_SPECIAL_TOKENS);
    }

    /** Most requests in flight in a subtask. */
    public int capacity() {
        return options.get(LayerSkipOptions.CAPACITY);
    }

    /**
     * Most bytes of the heap for the requests in flight in a subtask.
     *
     * @param slots that share this process's heap, at least 1
     */
    public long capacityMemory(int slots) {
        return options.getOptional(LayerSkipOptions.CAPACITY_MEMORY)
                .map(MemorySize::getBytes)
                .orElse(Runtime.getRuntime().maxMemory() / 10 / slots);
    }

    /** How long a request may take, waiting included. */
    public Duration requestTimeout() {
        return options.get(LayerSkipOptions.REQUEST_TIMEOUT);
    }

    /** Whether results leave in the order of their requests. */
    public AsyncDataStream.OutputMode outputOrder() {
        return options.get(LayerSkipOptions.OUTPUT_ORDER);
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
                        .exitLayers(options.get(LayerSkipOptions.ASSISTANT_EARLY_EXIT))
                        .assistantConfidenceThreshold(
                                options.get(LayerSkipOptions.ASSISTANT_CONFIDENCE_THRESHOLD))
                        .defaults(defaults())
                        .precision(options.get(LayerSkipOptions.PRECISION))
                        .threads(options.get(LayerSkipOptions.THREADS, share))
                        .engines(slots)
                        .maxBatchSize(options.get(LayerSkipOptions.MAX_BATCH_SIZE))
                        .kvCacheType(options.get(LayerSkipOptions.KV_CACHE_TYPE))
                        .kvCacheBytes(
                                options.getOptional(LayerSkipOptions.KV_CACHE_MEMORY)
                                        .map(MemorySize::getBytes)
                                        .orElse(EngineSettings.defaultKvCacheBytes(slots)))
                        .passTimeout(options.get(LayerSkipOptions.PASS_TIMEOUT))
                        .prefixCaching(options.get(LayerSkipOptions.PREFIX_CACHING));
        options.getOptional(LayerSkipOptions.CACHE_FOLDER)
                .map(Path::of)
                .ifPresent(settings::cacheFolder);
        return settings.build();
    }

    /** The same without what a request may say for itself: the engine's part. */
    LayerSkipConfiguration withoutDefaults() {
        Configuration rest = new Configuration(options);
        for (ConfigOption<?> option : LayerSkipOptions.DEFAULTS) {
            rest.removeConfig(option);
        }
        return new LayerSkipConfiguration(rest);
    }

    /** What a request gets that does not say otherwise. */
    GenerationParameters defaults() {
        GenerationParameters.Builder defaults =
                GenerationParameters.builder()
                        .temperature(options.get(LayerSkipOptions.TEMPERATURE))
                        .topK(options.get(LayerSkipOptions.TOP_K))
                        .topP(options.get(LayerSkipOptions.TOP_P));
        options.getOptional(LayerSkipOptions.MAX_TOKENS).ifPresent(defaults::maxTokens);
        String drafts = options.get(LayerSkipOptions.NUM_ASSISTANT_TOKENS);
        if (!drafts.equals(LayerSkipOptions.AUTO)) {
            defaults.numAssistantTokens(Integer.parseInt(drafts));
        }
        return defaults.build();
    }
}
