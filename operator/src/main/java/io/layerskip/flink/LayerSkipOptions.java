package io.layerskip.flink;

import static io.layerskip.flink.AllowedValues.anyOf;
import static io.layerskip.flink.AllowedValues.matching;
import static io.layerskip.flink.AllowedValues.number;
import static io.layerskip.flink.AllowedValues.option;
import static io.layerskip.flink.AllowedValues.text;
import static io.layerskip.flink.AllowedValues.trueOrFalse;
import static io.layerskip.flink.AllowedValues.wholeNumber;
import static org.apache.flink.configuration.ConfigOptions.key;

import io.layerskip.engine.EngineSettings;
import io.layerskip.engine.GenerationParameters;
import io.layerskip.engine.Range;
import io.layerskip.forward.KeyValueCacheType;
import io.layerskip.forward.Precision;
import java.time.Duration;
import java.util.List;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.streaming.api.datastream.AsyncDataStream.OutputMode;

/** What can be set about generation; {@link LayerSkipConfiguration} reads and checks it. */
@PublicEvolving
public final class LayerSkipOptions {

    /** Every option here starts with it. */
    public static final String PREFIX = "layerskip.";

    public static final ConfigOption<String> MODEL_PATH =
            option(
                    key("layerskip.model.path")
                            .stringType()
                            .defaultValue("classpath:models/layerskip-intents-9M"),
                    text("a folder, classpath:NAME or an address such as s3://BUCKET/FOLDER"),
                    "The checkpoint, a Hugging Face folder as downloaded: a local path that every"
                            + " TaskManager can read, classpath:models/NAME for a model inside the"
                            + " job's jar, or the address of a folder in any of Flink's file"
                            + " systems, such as s3://BUCKET/FOLDER, which each machine fetches"
                            + " once, to layerskip.cache-folder.");

    public static final ConfigOption<List<Integer>> ASSISTANT_EARLY_EXIT =
            option(
                    key("layerskip.assistant-early-exit").intType().asList().defaultValues(1),
                    matching(
                            LayerSkipOptions::areLayers,
                            "one or more different layers, each at least 1, such as 2 or 2;3"),
                    "The layers that a draft may exit after, each at most one less than the model"
                            + " has. Of several, a draft of a fixed length takes the first, an"
                            + " automatic one that which pays most, and a request may choose any;"
                            + " each further one costs a little speed.");

    /** The value of {@link #NUM_ASSISTANT_TOKENS} that fixes no number. */
    static final String AUTO = "auto";

    public static final ConfigOption<String> NUM_ASSISTANT_TOKENS =
            option(
                    key("layerskip.num-assistant-tokens").stringType().defaultValue(AUTO),
                    matching(
                            LayerSkipOptions::isDraftLength,
                            AUTO + " or " + GenerationParameters.NUM_ASSISTANT_TOKENS.words()),
                    "Tokens that the early layers draft before the later ones verify them: a"
                            + " number, 0 for plain decoding; or auto: as many as pay, by how the"
                            + " drafts fare and by what passes cost on this machine under the"
                            + " present load. A request may ask for a number of its own.");

    public static final ConfigOption<Double> ASSISTANT_CONFIDENCE_THRESHOLD =
            option(
                    key("layerskip.assistant-confidence-threshold").doubleType().defaultValue(0.0),
                    number(EngineSettings.CONFIDENCE_THRESHOLD),
                    "A draft ends where the exit's own probability for its token is lower than"
                            + " this.");

    public static final ConfigOption<Integer> MAX_TOKENS =
            option(
                    key("layerskip.max-tokens").intType().noDefaultValue(),
                    wholeNumber(GenerationParameters.MAX_TOKENS),
                    "Most tokens to write for a request that does not say. Without it:"
                            + " max_new_tokens of the checkpoint's generation_config.json, else "
                            + EngineSettings.DEFAULT_MAX_TOKENS
                            + ".");

    public static final ConfigOption<Double> TEMPERATURE =
            option(
                    key("layerskip.temperature").doubleType().defaultValue(0.0),
                    number(GenerationParameters.TEMPERATURE),
                    "Temperature for a request that does not say. 0 is greedy decoding.");

    public static final ConfigOption<Integer> TOP_K =
            option(
                    key("layerskip.top-k").intType().defaultValue(0),
                    wholeNumber(GenerationParameters.TOP_K),
                    "Sample among this many best tokens, for a request that does not say.");

    public static final ConfigOption<Double> TOP_P =
            option(
                    key("layerskip.top-p").doubleType().defaultValue(1.0),
                    number(GenerationParameters.TOP_P),
                    "Sample among the fewest tokens that together have this probability, for a"
                            + " request that does not say.");

    public static final ConfigOption<Precision> PRECISION =
            option(
                    key("layerskip.precision")
                            .enumType(Precision.class)
                            .defaultValue(Precision.FP32),
                    anyOf(Precision.class),
                    "How the weights are kept and multiplied: FP32, as exact as the checkpoint;"
                            + " INT8, a quarter of the memory; INT4, about a sixth. What is not"
                            + " FP32 is made from the checkpoint when a subtask opens it.");

    public static final ConfigOption<String> CACHE_FOLDER =
            option(
                    key("layerskip.cache-folder").stringType().noDefaultValue(),
                    text("a folder"),
                    "A folder of each TaskManager's machine that keeps INT8 or INT4 weights for the"
                            + " next time, and models that were fetched from an address, each under"
                            + " a hash of the model. Only the TaskManager's user, or root, may own"
                            + " and write it. Without it weights are made again; a model at an"
                            + " address needs it.");

    public static final ConfigOption<Integer> THREADS =
            option(
                    key("layerskip.threads").intType().noDefaultValue(),
                    wholeNumber(EngineSettings.THREADS),
                    "Threads that compute one pass of a subtask's model; where the TaskManager's"
                            + " other slots are idle, their threads help. With 1, a subtask's own"
                            + " thread computes all. Without it: the cores divided by the"
                            + " TaskManager's slots, at least 1.");

    public static final ConfigOption<Integer> MAX_BATCH_SIZE =
            option(
                    key("layerskip.max-batch-size").intType().defaultValue(32),
                    wholeNumber(EngineSettings.BATCH_SIZE),
                    "Requests of a subtask that share every pass over the weights; further ones"
                            + " wait.");

    public static final ConfigOption<KeyValueCacheType> KV_CACHE_TYPE =
            option(
                    key("layerskip.kv-cache-type")
                            .enumType(KeyValueCacheType.class)
                            .defaultValue(KeyValueCacheType.FLOAT32),
                    anyOf(KeyValueCacheType.class),
                    "How keys and values are kept: FLOAT32, as they are computed; INT8, about a"
                            + " quarter of the memory, which may change texts.");

    public static final ConfigOption<MemorySize> KV_CACHE_MEMORY =
            option(
                    key("layerskip.kv-cache-memory").memoryType().noDefaultValue(),
                    matching(
                            size -> EngineSettings.KV_CACHE_BYTES.contains(size.getBytes()),
                            "a size above 0, such as 256 mb"),
                    "Most memory of a subtask for keys and values, on the JVM's heap; what requests"
                            + " under way leave of it keeps the beginnings of prompts. When it is"
                            + " full, requests wait. Without it: a quarter of the heap, divided by"
                            + " the TaskManager's slots.");

    public static final ConfigOption<Boolean> PREFIX_CACHING =
            option(
                    key("layerskip.prefix-caching").booleanType().defaultValue(true),
                    trueOrFalse(),
                    "Whether a beginning that prompts have in common, such as an instruction, is"
                            + " computed once; found by its content, kept in at most half of the"
                            + " memory for keys and values.");

    public static final ConfigOption<Boolean> SPLIT_SPECIAL_TOKENS =
            option(
                    key("layerskip.split-special-tokens").booleanType().defaultValue(true),
                    trueOrFalse(),
                    "Whether the text of a special token in a prompt, such as </s>, is text like"
                            + " any other; false makes it that token, which only prompts from a"
                            + " trusted source should do.");

    public static final ConfigOption<Integer> CAPACITY =
            option(
                    key("layerskip.capacity").intType().defaultValue(64),
                    wholeNumber(Range.atLeast(1)),
                    "Requests that a subtask takes in before it holds back its source: those"
                            + " generated and those waiting.");

    public static final ConfigOption<MemorySize> CAPACITY_MEMORY =
            option(
                    key("layerskip.capacity-memory").memoryType().noDefaultValue(),
                    matching(size -> size.getBytes() > 0, "a size above 0, such as 64 mb"),
                    "Most memory on the JVM's heap for the requests that a subtask has taken in, by"
                            + " an estimate: records, prompts, and the tokens and texts that they"
                            + " may become. Where the next one does not fit, the subtask holds back"
                            + " its source; one that is larger than all of it is taken alone."
                            + " Without it: a tenth of the heap, divided by the TaskManager's"
                            + " slots.");

    public static final ConfigOption<Duration> REQUEST_TIMEOUT =
            option(
                    key("layerskip.request-timeout")
                            .durationType()
                            .defaultValue(Duration.ofMinutes(5)),
                    matching(
                            timeout -> timeout.toMillis() >= 1,
                            "a duration of at least 1 ms, such as 5 min"),
                    "How long a request may take, waiting included. One that takes longer ends as a"
                            + " failure that keeps what was written.");

    public static final ConfigOption<Duration> PASS_TIMEOUT =
            option(
                    key("layerskip.pass-timeout")
                            .durationType()
                            .defaultValue(EngineSettings.DEFAULT_PASS_TIMEOUT),
                    matching(
                            timeout -> EngineSettings.PASS_TIMEOUT.contains(timeout.toMillis()),
                            "a duration of at least 1 ms, such as 2 min"),
                    "How long one pass through the model may take. One that takes longer hangs: the"
                            + " task fails, with a dump of all threads in the TaskManager's log.");

    public static final ConfigOption<OutputMode> OUTPUT_ORDER =
            option(
                    key("layerskip.output-order")
                            .enumType(OutputMode.class)
                            .defaultValue(OutputMode.UNORDERED),
                    anyOf(OutputMode.class),
                    "Whether completions leave as they are done (UNORDERED) or in the order of"
                            + " their requests (ORDERED).");

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
                    KV_CACHE_TYPE,
                    KV_CACHE_MEMORY,
                    PREFIX_CACHING,
                    SPLIT_SPECIAL_TOKENS,
                    CAPACITY,
                    CAPACITY_MEMORY,
                    REQUEST_TIMEOUT,
                    PASS_TIMEOUT,
                    OUTPUT_ORDER);

    /** Those of what a request gets that does not say otherwise. */
    static final List<ConfigOption<?>> DEFAULTS =
            List.of(MAX_TOKENS, TEMPERATURE, TOP_K, TOP_P, NUM_ASSISTANT_TOKENS);

    private LayerSkipOptions() {}

    private static boolean areLayers(List<Integer> layers) {
        return !layers.isEmpty()
                && layers.stream().allMatch(layer -> layer >= 1)
                && layers.stream().distinct().count() == layers.size();
    }

    private static boolean isDraftLength(String value) {
        return value.equals(AUTO)
                || value.matches("[0-9]{1,9}")
                        && GenerationParameters.NUM_ASSISTANT_TOKENS.contains(
                                Integer.parseInt(value));
    }
}
