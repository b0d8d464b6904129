package io.layerskip.sql;

import static io.layerskip.flink.AllowedValues.anyOf;
import static io.layerskip.flink.AllowedValues.matching;
import static io.layerskip.flink.AllowedValues.number;
import static io.layerskip.flink.AllowedValues.option;
import static io.layerskip.flink.AllowedValues.text;
import static io.layerskip.flink.AllowedValues.wholeNumber;
import static java.util.Map.entry;
import static org.apache.flink.configuration.ConfigOptions.key;

import io.layerskip.engine.GenerationParameters;
import io.layerskip.engine.Range;
import io.layerskip.flink.LayerSkipOptions;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.table.ml.TaskType;

/**
 * What can be set in a model's {@code WITH}. Names are those of Flink's {@code openai} provider
 * where they mean the same. Most are those of {@link LayerSkipOptions} without their prefix, and
 * allow the same.
 */
@PublicEvolving
public final class LayerSkipModelOptions {

    public static final ConfigOption<String> TASK =
            option(
                    key("task").stringType().defaultValue(TaskType.TEXT_GENERATION.getName()),
                    matching(
                            TaskType.TEXT_GENERATION.getName()::equals,
                            TaskType.TEXT_GENERATION.getName()),
                    "What the model is for.");

    public static final ConfigOption<String> SYSTEM_PROMPT =
            option(
                    key("system-prompt").stringType().noDefaultValue(),
                    text("a text that is not blank"),
                    "What the model is told before each prompt. With it, a row is a chat of a"
                            + " system message and a user message, the prompt, which the model's"
                            + " chat template renders; without it, a prompt is completed as it is.");

    public static final ConfigOption<Double> PRESENCE_PENALTY =
            option(
                    key("presence-penalty").doubleType().noDefaultValue(),
                    number(GenerationParameters.PRESENCE_PENALTY),
                    "Taken from the logit of every token that the completion has; none without"
                            + " it.");

    public static final ConfigOption<Double> FREQUENCY_PENALTY =
            option(
                    key("frequency-penalty").doubleType().noDefaultValue(),
                    number(GenerationParameters.FREQUENCY_PENALTY),
                    "Taken from a token's logit as often as the completion has the token; none"
                            + " without it.");

    public static final ConfigOption<String> STOP =
            option(
                    key("stop").stringType().noDefaultValue(),
                    matching(
                            LayerSkipModelOptions::areStops,
                            "up to %d texts of up to %d characters, separated by commas"
                                    .formatted(
                                            GenerationParameters.MAX_STOPS,
                                            GenerationParameters.MAX_STOP_CHARACTERS)),
                    "Texts that end a completion; none of them is written. A text with a comma in"
                            + " it cannot be given.");

    public static final ConfigOption<Long> SEED =
            option(
                    key("seed").longType().noDefaultValue(),
                    matching(seed -> true, "a whole number of 64 bits"),
                    "Seed of the sampler, the same for every row. Without it, each row has one made"
                            + " from its prompt.");

    public static final ConfigOption<ResponseFormat> RESPONSE_FORMAT =
            option(
                    key("response-format")
                            .enumType(ResponseFormat.class)
                            .defaultValue(ResponseFormat.TEXT),
                    anyOf(ResponseFormat.class),
                    "What a completion has to be: any text, or a JSON object; a row whose completion"
                            + " is none has no completion.");

    public static final ConfigOption<Integer> MAX_CONTEXT_SIZE =
            option(
                    key("max-context-size").intType().noDefaultValue(),
                    wholeNumber(Range.atLeast(1)),
                    "Most tokens of a prompt, special tokens included; context-overflow-action says"
                            + " what becomes of a longer one. Without it, a prompt that leaves no"
                            + " room in the model's context has no completion, and is an error."
                            + " Not together with system-prompt.");

    public static final ConfigOption<ContextOverflowAction> CONTEXT_OVERFLOW_ACTION =
            option(
                    key("context-overflow-action")
                            .enumType(ContextOverflowAction.class)
                            .defaultValue(ContextOverflowAction.TRUNCATED_TAIL),
                    anyOf(ContextOverflowAction.class),
                    "What becomes of a prompt of more than max-context-size tokens: it loses its"
                            + " tail or its head, or its row is left out of the result; and whether"
                            + " the log tells.");

    public static final ConfigOption<ErrorHandlingStrategy> ERROR_HANDLING_STRATEGY =
            option(
                    key("error-handling-strategy")
                            .enumType(ErrorHandlingStrategy.class)
                            .defaultValue(ErrorHandlingStrategy.FAILOVER),
                    matching(
                            strategy -> true,
                            "FAILOVER or IGNORE (what failed once would fail again, so there is no"
                                    + " RETRY)"),
                    "What becomes of a row without a completion where the model has no column"
                            + " error: it fails the job (FAILOVER), or it is left out of the"
                            + " result, with a warning in the log (IGNORE).");

    /** Options of the provider alone. */
    static final List<ConfigOption<?>> OWN =
            List.of(
                    TASK,
                    SYSTEM_PROMPT,
                    PRESENCE_PENALTY,
                    FREQUENCY_PENALTY,
                    STOP,
                    SEED,
                    RESPONSE_FORMAT,
                    MAX_CONTEXT_SIZE,
                    CONTEXT_OVERFLOW_ACTION,
                    ERROR_HANDLING_STRATEGY);

    /** Options of the DataStream function that ML_PREDICT has names of its own for. */
    private static final Map<ConfigOption<?>, String> FLINKS =
            Map.of(
                    LayerSkipOptions.CAPACITY,
                    "ML_PREDICT's own setting is max-concurrent-operations, in its CONFIG",
                    LayerSkipOptions.CAPACITY_MEMORY,
                    "ML_PREDICT counts rows alone: max-concurrent-operations, in its CONFIG",
                    LayerSkipOptions.OUTPUT_ORDER,
                    "ML_PREDICT's own setting is output-mode, in its CONFIG");

    private static final String ONE_ANSWER = "a row has one completion";
    private static final String NO_SERVER = "the model runs in Flink, no server is asked";

    /** Options of other providers that would change the answer, and why this one lacks them. */
    private static final Map<String, String> UNSUPPORTED =
            Map.ofEntries(
                    entry("n", ONE_ANSWER),
                    entry("dimension", "the model makes texts, no embeddings"),
                    entry("endpoint", NO_SERVER),
                    entry("api-key", NO_SERVER),
                    entry("model", NO_SERVER + "; model.path names its folder"),
                    entry("retry-num", "what failed once would fail again"),
                    entry("retry-fallback-strategy", "what failed once would fail again"));

    private LayerSkipModelOptions() {}

    /** Those of {@link LayerSkipOptions} that can be set here, by their names here. */
    static Map<String, ConfigOption<?>> shared() {
        Map<String, ConfigOption<?>> shared = new LinkedHashMap<>();
        for (ConfigOption<?> option : LayerSkipOptions.ALL) {
            if (!FLINKS.containsKey(option)) {
                shared.put(name(option), option);
            }
        }
        return shared;
    }

    /** Names of all that can be set here. */
    static List<String> names() {
        List<String> names = new ArrayList<>(shared().keySet());
        OWN.forEach(option -> names.add(option.key()));
        return names;
    }

    /** Why an option cannot be set. */
    static String refusal(String key) {
        for (Map.Entry<ConfigOption<?>, String> flinks : FLINKS.entrySet()) {
            if (name(flinks.getKey()).equals(key)) {
                return "option %s is not supported: %s".formatted(key, flinks.getValue());
            }
        }
        return UNSUPPORTED.containsKey(key)
                ? "option %s is not supported: %s".formatted(key, UNSUPPORTED.get(key))
                : "option %s is unknown; known: %s".formatted(key, String.join(", ", names()));
    }

    /** A message in which options have the names that they have here. */
    static String named(String message) {
        String named = message;
        for (ConfigOption<?> option : LayerSkipOptions.ALL) {
            named =
                    named.replaceAll(
                            "\\b" + option.key().replace(".", "\\.") + "\\b(?!-)", name(option));
        }
        return named;
    }

    static String name(ConfigOption<?> option) {
        return option.key().substring(LayerSkipOptions.PREFIX.length());
    }

    /** The texts of {@link #STOP}. */
    static String[] stops(String option) {
        return option.split(",", -1);
    }

    private static boolean areStops(String option) {
        try {
            GenerationParameters.builder().stop(stops(option)).build();
            return true;
        } catch (IllegalArgumentException e) {
            return false;
        }
    }
}
