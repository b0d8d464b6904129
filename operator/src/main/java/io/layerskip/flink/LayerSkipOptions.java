package io.layerskip.flink;

import io.layerskip.engine.EngineSettings;
import io.layerskip.forward.Precision;
import java.time.Duration;
import java.util.List;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.streaming.api.datastream.AsyncDataStream;

/** What can be set about generation; {@link LayerSkipConfiguration} reads and checks it. */
@PublicEvolving
public final class LayerSkipOptions {

    /** Every option here starts with it. */
    public static final String PREFIX = "layerskip.";

    public static final ConfigOption<String> MODEL_PATH =
            ConfigOptions.key("layerskip.model.path")
                    .stringType()
                    .defaultValue("classpath:models/layerskip-intents-9M")
                    .withDescription(
                            "The checkpoint, a Hugging Face folder as downloaded: a local path that"
                                    + " every TaskManager can read, or classpath:models/NAME for a"
                                    + " model inside the job's jar.");

    public static final ConfigOption<List<Integer>> ASSISTANT_EARLY_EXIT =
            ConfigOptions.key("layerskip.assistant-early-exit")
                    .intType()
                    .asList()
                    .defaultValues(1)
                    .withDescription(
                            "The layers that a draft may exit after, separated by semicolons, each"
                                    + " from 1 to one less than the model has. The first is the"
                                    + " default, a request may choose any of them; each further one"
                                    + " costs a little speed.");

    /** The value of {@link #NUM_ASSISTANT_TOKENS} that fixes no number. */
    static final String AUTO = "auto";

    public static final ConfigOption<String> NUM_ASSISTANT_TOKENS =
            ConfigOptions.key("layerskip.num-assistant-tokens")
                    .stringType()
                    .defaultValue(AUTO)
                    .withDescription(
                            "Tokens that the early layers draft before the later ones verify them:"
                                    + " a number from 0, which is plain decoding, to 64; or auto:"
                                    + " as many as pay, by how the drafts fare and by what passes"
                                    + " cost on this machine under the present load. A request may"
                                    + " ask for a number of its own.");

    public static final ConfigOption<Double> ASSISTANT_CONFIDENCE_THRESHOLD =
            ConfigOptions.key("layerskip.assistant-confidence-threshold")
                    .doubleType()
                    .defaultValue(0.0)
                    .withDescription(
                            "A draft ends where the exit's own probability for its token is lower"
                                    + " than this, from 0 to 1.");

    public static final ConfigOption<Integer> MAX_TOKENS =
            ConfigOptions.key("layerskip.max-tokens")
                    .intType()
                    .noDefaultValue()
                    .withDescription(
                            "Most tokens to write for a request that does not say. Without it:"
                                    + " max_new_tokens of the checkpoint's generation_config.json,"
                                    + " else what the context has room for.");

    public static final ConfigOption<Double> TEMPERATURE =
            ConfigOptions.key("layerskip.temperature")
                    .doubleType()
                    .defaultValue(0.0)
                    .withDescription(
                            "Temperature for a request that does not say, from 0 to 100. 0 is"
                                    + " greedy decoding.");

    public static final ConfigOption<Integer> TOP_K =
            ConfigOptions.key("layerskip.top-k")
                    .intType()
                    .defaultValue(0)
                    .withDescription(
                            "Sample among this many best tokens, for a request that does not say."
                                    + " 0 is all of them.");

    public static final ConfigOption<Double> TOP_P =
            ConfigOptions.key("layerskip.top-p")
                    .doubleType()
                    .defaultValue(1.0)
                    .withDescription(
                            "Sample among the fewest tokens that together have this probability,"
                                    + " above 0 and at most 1, for a request that does not say.");

    public static final ConfigOption<Precision> PRECISION =
            ConfigOptions.key("layerskip.precision")
                    .enumType(Precision.class)
                    .defaultValue(Precision.FP32)
                    .withDescription(
                            "How the weights are kept and multiplied: FP32, as exact as the"
                                    + " checkpoint; INT8, a quarter of the memory; INT4, about a"
                                    + " sixth. What is not FP32 is made from the checkpoint when a"
                                    + " subtask opens it.");

    public static final ConfigOption<String> CACHE_FOLDER =
            ConfigOptions.key("layerskip.cache-folder")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "A folder of each TaskManager's machine that keeps INT8 or INT4 weights"
                                    + " for the next time, under a hash of the model. Without it"
                                    + " they are made anew.");

    public static final ConfigOption<Integer> THREADS =
            ConfigOptions.key("layerskip.threads")
                    .intType()
                    .noDefaultValue()
                    .withDescription(
                            "Threads that compute one pass of a subtask's model. Without it: the"
                                    + " cores divided by the TaskManager's slots, at least 1.");

    public static final ConfigOption<Integer> MAX_BATCH_SIZE =
            ConfigOptions.key("layerskip.max-batch-size")
                    .intType()
                    .defaultValue(32)
                    .withDescription(
                            "Requests of a subtask that share every pass over the weights, "
                                    + EngineSettings.BATCH_SIZE.words()
                                    + "; further ones wait.");

    public static final ConfigOption<MemorySize> KV_CACHE_MEMORY =
            ConfigOptions.key("layerskip.kv-cache-memory")
                    .memoryType()
                    .noDefaultValue()
                    .withDescription(
                            "Most memory of a subtask for keys and values, on the JVM's heap; what"
                                    + " requests under way leave of it keeps the beginnings of"
                                    + " prompts. When it is full, requests wait. Without it: a"
                                    + " quarter of the heap, divided by the TaskManager's slots.");

    public static final ConfigOption<Boolean> PREFIX_CACHING =
            ConfigOptions.key("layerskip.prefix-caching")
                    .booleanType()
                    .defaultValue(true)
                    .withDescription(
                            "Whether a beginning that prompts have in common, such as an"
                                    + " instruction, is computed once; found by its content, kept"
                                    + " in at most half of the memory for keys and values.");

    public static final ConfigOption<Boolean> SPLIT_SPECIAL_TOKENS =
            ConfigOptions.key("layerskip.split-special-tokens")
                    .booleanType()
                    .defaultValue(true)
                    .withDescription(
                            "Whether the text of a special token in a prompt, such as </s>, is text"
                                    + " like any other; false makes it that token, which only"
                                    + " prompts from a trusted source should do.");

    public static final ConfigOption<Integer> CAPACITY =
            ConfigOptions.key("layerskip.capacity")
                    .intType()
                    .defaultValue(64)
                    .withDescription(
                            "Requests that a subtask takes in before it holds back its source:"
                                    + " those generated and those waiting.");

    public static final ConfigOption<Duration> REQUEST_TIMEOUT =
            ConfigOptions.key("layerskip.request-timeout")
                    .durationType()
                    .defaultValue(Duration.ofMinutes(5))
                    .withDescription(
                            "How long a request may take, waiting included. One that takes longer"
                                    + " ends as a failure that keeps what was written.");

    public static final ConfigOption<AsyncDataStream.OutputMode> OUTPUT_ORDER =
            ConfigOptions.key("layerskip.output-order")
                    .enumType(AsyncDataStream.OutputMode.class)
                    .defaultValue(AsyncDataStream.OutputMode.UNORDERED)
                    .withDescription(
                            "Whether completions leave as they are done (UNORDERED) or in the order"
                                    + " of their requests (ORDERED).");

    /** All of them, in the order of the documentation. */
    public static final List<ConfigOption<?>> ALL =
            List.of(
                    MODEL_PATH,
                    ASSISTANT_EARLY_EXIT,
                    NUM_ASSISTANT_TOKENS,
                    ASSISTANT_CONFIDENCE_THRESHOLD,
                    MAX_TOKENS,
                    TEMPERATURE,
                    TOP_K,
                    TOP_P,
                    PRECISION,
                    CACHE_FOLDER,
                    THREADS,
                    MAX_BATCH_SIZE,
                    KV_CACHE_MEMORY,
                    PREFIX_CACHING,
                    SPLIT_SPECIAL_TOKENS,
                    CAPACITY,
                    REQUEST_TIMEOUT,
                    OUTPUT_ORDER);

    private LayerSkipOptions() {}
}
