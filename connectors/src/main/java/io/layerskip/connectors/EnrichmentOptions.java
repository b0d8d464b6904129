package io.layerskip.connectors;

import static io.layerskip.flink.AllowedValues.anyOf;
import static io.layerskip.flink.AllowedValues.matching;
import static io.layerskip.flink.AllowedValues.option;
import static io.layerskip.flink.AllowedValues.requiredOption;
import static io.layerskip.flink.AllowedValues.text;
import static io.layerskip.flink.AllowedValues.trueOrFalse;
import static org.apache.flink.configuration.ConfigOptions.key;

import io.layerskip.engine.GenerationParameters;
import io.layerskip.flink.AllowedValues;
import java.util.List;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.configuration.ConfigOption;

/**
 * What can be set about the enrichment of records; {@link EnrichmentConfiguration} reads and checks
 * it.
 */
@PublicEvolving
public final class EnrichmentOptions {

    /** What becomes of a completion's text. */
    public enum OutputFormat {
        /** A string. */
        TEXT,
        /** The JSON value that the text is. */
        JSON
    }

    private static final AllowedValues<String> OUTPUT_PATH =
            matching(
                    EnrichmentOptions::isOutputPath,
                    "a field's name, or several with dots between them, such as result.intent");

    public static final ConfigOption<String> PROMPT_TEMPLATE =
            requiredOption(
                    key("layerskip.prompt-template").stringType().noDefaultValue(),
                    text("a text with at least one {{field}} or {{field|default}}"),
                    "The prompt of a record. {{message}} stands for the record's field, {{a.b[0]}}"
                            + " for one within others, and {{message|none}} gives the text for"
                            + " records without it; those that lack a field without such a text"
                            + " become dead letters.");

    public static final ConfigOption<Boolean> CHAT =
            option(
                    key("layerskip.chat").booleanType().defaultValue(false),
                    trueOrFalse(),
                    "Whether the prompt is sent as the message of a user, rendered with the chat"
                            + " template of the model, which has to have one.");

    public static final ConfigOption<String> SYSTEM_PROMPT =
            option(
                    key("layerskip.system-prompt").stringType().noDefaultValue(),
                    text("a text, where layerskip.chat is true"),
                    "The system's message, before the user's; none unless set.");

    public static final ConfigOption<String> OUTPUT_FIELD =
            option(
                    key("layerskip.output-field").stringType().defaultValue("completion"),
                    OUTPUT_PATH,
                    "The field of the record that the completion is written to, in the place of"
                            + " one that is there.");

    public static final ConfigOption<OutputFormat> OUTPUT_FORMAT =
            option(
                    key("layerskip.output-format")
                            .enumType(OutputFormat.class)
                            .defaultValue(OutputFormat.TEXT),
                    anyOf(OutputFormat.class),
                    "Whether the completion is written as a string (TEXT) or as the JSON value that"
                            + " it is (JSON); one that is no JSON becomes a dead letter then.");

    public static final ConfigOption<String> USAGE_FIELD =
            option(
                    key("layerskip.usage-field").stringType().noDefaultValue(),
                    OUTPUT_PATH,
                    "The field of the record that the numbers of tokens are written to, as OpenAI's"
                            + " usage object; none unless set.");

    public static final ConfigOption<String> CONFIDENCE_FIELD =
            option(
                    key("layerskip.confidence-field").stringType().noDefaultValue(),
                    OUTPUT_PATH,
                    "The field of the record that says how sure the model was, for sending on what"
                            + " needs a second look: an object with mean_probability, the geometric"
                            + " mean of the tokens' probabilities, and least_probability, the least"
                            + " of them; none unless set. It takes a little speed.");

    public static final ConfigOption<List<String>> STOP =
            option(
                    key("layerskip.stop").stringType().asList().defaultValues(),
                    matching(
                            EnrichmentOptions::areStops,
                            "at most %d texts of 1 to %d characters"
                                    .formatted(
                                            GenerationParameters.MAX_STOPS,
                                            GenerationParameters.MAX_STOP_CHARACTERS)),
                    "Texts that end a completion, which does not hold them; separated by"
                            + " semicolons.");

    /** All of them, in the order of the documentation. */
    public static final List<ConfigOption<?>> ALL =
            List.of(
                    PROMPT_TEMPLATE,
                    CHAT,
                    SYSTEM_PROMPT,
                    OUTPUT_FIELD,
                    OUTPUT_FORMAT,
                    USAGE_FIELD,
                    CONFIDENCE_FIELD,
                    STOP);

    private EnrichmentOptions() {}

    private static boolean areStops(List<String> texts) {
        GenerationParameters.builder().stop(texts.toArray(String[]::new)).build();
        return true;
    }

    private static boolean isOutputPath(String text) {
        return RecordPath.parse(text).hasOnlyNames();
    }
}
