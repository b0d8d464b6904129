package io.layerskip.sql;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.util.ExceptionUtils;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is refused when a query is planned, and how that is said. */
final class LayerSkipModelProviderFactoryTest {

    private static final String INPUT = "prompt STRING";
    private static final String OUTPUT = "completion STRING";

    private final TableEnvironment tables =
            TableEnvironment.create(EnvironmentSettings.inStreamingMode());

    @BeforeEach
    void createMessages() {
        tables.executeSql("CREATE TEMPORARY VIEW messages AS SELECT 'a' AS prompt, 1 AS id");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "top-p | 7 | option top-p is 7; allowed: above 0 and at most 1",
                "max-tokens | 0 | option max-tokens is 0; allowed: a whole number, at least 1",
                "max-tokens | many | option max-tokens is many; allowed: a whole number, at least 1",
                "temperature | -1 | option temperature is -1; allowed: from 0 to 100",
                "precision | FP8 | option precision is FP8; allowed: FP32, INT8 or INT4",
                "num-assistant-tokens | 65 | option num-assistant-tokens is 65; allowed: auto or from 0 to 64",
                "assistant-early-exit | 12 | option assistant-early-exit is 12; allowed: from 1 to 11",
                "kv-cache-memory | 0 | option kv-cache-memory is 0; allowed: a size above 0",
                "request-timeout | 0 | option request-timeout is 0; allowed: a duration of at least 1 ms",
                "pass-timeout | 0 | option pass-timeout is 0; allowed: a duration of at least 1 ms",
                "seed | x | option seed is x; allowed: a whole number of 64 bits",
                "stop | a,,b | option stop is a,,b; allowed: up to 16 texts",
                "task | embedding | option task is embedding; allowed: text_generation",
                "max-context-size | 0 | option max-context-size is 0; allowed: a whole number, at least 1",
                "context-overflow-action | skipped | option context-overflow-action is skipped; allowed: only together with max-context-size",
                "error-handling-strategy | RETRY | option error-handling-strategy is RETRY; allowed: FAILOVER or IGNORE (what failed once would fail again, so there is no RETRY)",
                "presence-penalty | 3 | option presence-penalty is 3; allowed: from -2 to 2",
                "presence-penalty | NaN | option presence-penalty is NaN; allowed: from -2 to 2",
                "frequency-penalty | -2.1 | option frequency-penalty is -2.1; allowed: from -2 to 2",
                "system-prompt | ' ' | option system-prompt is  ; allowed: a text that is not blank",
                "response-format | json | option response-format is json; allowed: text or json_object",
                "n | 3 | option n is not supported: a row has one completion",
                "capacity | 3 | option capacity is not supported: ML_PREDICT's own setting is max-concurrent-operations",
                "capacity-memory | 3 mb | option capacity-memory is not supported: ML_PREDICT counts rows alone: max-concurrent-operations",
                "max-token | 3 | option max-token is unknown; known: model.path, assistant-early-exit,",
                "layerskip.max-tokens | 3 | option layerskip.max-tokens is unknown; known: model.path",
            })
    void refusesAnOptionByNameWithWhatIsAllowed(String key, String value, String message) {
        createModel(INPUT, OUTPUT, Map.of(key, value));

        assertThatThrownBy(this::plan)
                .satisfies(e -> assertThat(ExceptionUtils.stringifyException(e)).contains(message));
    }

    @Test
    void namesEverythingThatIsWrongAtOnce() {
        createModel(INPUT, OUTPUT, Map.of("top-p", "7", "seed", "x", "sed", "1"));

        assertThatThrownBy(this::plan)
                .satisfies(
                        e ->
                                assertThat(ExceptionUtils.stringifyException(e))
                                        .contains(
                                                "option top-p is 7",
                                                "option seed is x",
                                                "option sed is unknown"));
    }

    @Test
    void refusesAContextOverflowActionThatThereIsNot() {
        createModel(
                INPUT, OUTPUT, Map.of("max-context-size", "8", "context-overflow-action", "cut"));

        assertThatThrownBy(this::plan)
                .satisfies(
                        e ->
                                assertThat(ExceptionUtils.stringifyException(e))
                                        .contains(
                                                "option context-overflow-action is cut; allowed:"
                                                        + " truncated-tail, truncated-tail-log,"
                                                        + " truncated-head, truncated-head-log,"
                                                        + " skipped or skipped-log"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "id INT | completion STRING | INPUT is (`id` INT); allowed: one column of type STRING",
                "a STRING, b STRING | completion STRING | INPUT is (`a` STRING, `b` STRING); allowed: one column",
                "prompt STRING | error STRING | OUTPUT has no column completion",
                "prompt STRING | completion INT | OUTPUT has the column `completion` INT; allowed: completion STRING, error STRING, prompt_tokens INT, completion_tokens INT, mean_probability DOUBLE, least_probability DOUBLE",
                "prompt STRING | completion STRING NOT NULL | OUTPUT has the column `completion` STRING NOT NULL; allowed",
                "prompt STRING | completion STRING, tokens INT | OUTPUT has the column `tokens` INT; allowed",
                "prompt STRING | completion STRING, mean_probability FLOAT | OUTPUT has the column `mean_probability` FLOAT; allowed",
                "prompt STRING | completion STRING, prompt_tokens BIGINT | OUTPUT has the column `prompt_tokens` BIGINT; allowed",
            })
    void refusesColumnsThatItDoesNotHave(String input, String output, String message) {
        createModel(input, output, Map.of());

        assertThatThrownBy(
                        () ->
                                plan(
                                        input.contains("INT")
                                                ? "id"
                                                : input.contains("b STRING")
                                                        ? "prompt, prompt"
                                                        : "prompt"))
                .satisfies(e -> assertThat(ExceptionUtils.stringifyException(e)).contains(message));
    }

    @Test
    void takesEveryOptionThatItSaysItTakes() {
        Map<String, String> options =
                Map.ofEntries(
                        Map.entry("task", "text_generation"),
                        Map.entry("assistant-early-exit", "1;2"),
                        Map.entry("num-assistant-tokens", "3"),
                        Map.entry("assistant-confidence-threshold", "0.1"),
                        Map.entry("max-tokens", "64"),
                        Map.entry("temperature", "0.7"),
                        Map.entry("top-k", "40"),
                        Map.entry("top-p", "0.9"),
                        Map.entry("precision", "INT8"),
                        Map.entry("cache-folder", "/var/cache/layerskip"),
                        Map.entry("threads", "2"),
                        Map.entry("max-batch-size", "16"),
                        Map.entry("kv-cache-type", "INT8"),
                        Map.entry("kv-cache-memory", "64 mb"),
                        Map.entry("prefix-caching", "false"),
                        Map.entry("split-special-tokens", "false"),
                        Map.entry("request-timeout", "1 min"),
                        Map.entry("pass-timeout", "30 s"),
                        Map.entry("stop", "a,b"),
                        Map.entry("seed", "7"),
                        Map.entry("response-format", "json_object"),
                        Map.entry("presence-penalty", "-0.5"),
                        Map.entry("frequency-penalty", "2"),
                        Map.entry("max-context-size", "100"),
                        Map.entry("context-overflow-action", "truncated-head"),
                        Map.entry("error-handling-strategy", "ignore"));
        assertThat(options.keySet())
                .as("but for model.path, and system-prompt, which has a test of its own")
                .hasSize(LayerSkipModelOptions.names().size() - 2);
        createModel(INPUT, OUTPUT, options);

        plan();
    }

    @Test
    void takesASystemPromptWhereTheModelHasAChatTemplate(@TempDir Path folder) throws Exception {
        createModel(
                GoldenCase.modelWithChatTemplate(folder, "{{ messages[0].content }}"),
                INPUT,
                OUTPUT,
                Map.of("system-prompt", "It''s a bank."));

        plan();
    }

    @Test
    void refusesASystemPromptWhereTheModelHasNoChatTemplate() {
        createModel(INPUT, OUTPUT, Map.of("system-prompt", "Hi"));

        assertThatThrownBy(this::plan)
                .satisfies(
                        e ->
                                assertThat(ExceptionUtils.stringifyException(e))
                                        .contains(
                                                "option system-prompt is Hi; allowed: only with a"
                                                        + " model that renders chats: option"
                                                        + " model.path is "
                                                        + GoldenCase.model(),
                                                "the checkpoint has no chat template"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{% if %} | the chat template 'default' in chat_template.jinja cannot be interpreted",
                "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %} | no system role",
            })
    void refusesASystemPromptThatTheChatTemplateDoesNotTake(
            String template, String reason, @TempDir Path folder) throws Exception {
        createModel(
                GoldenCase.modelWithChatTemplate(folder, template),
                INPUT,
                OUTPUT,
                Map.of("system-prompt", "Hi"));

        assertThatThrownBy(this::plan)
                .satisfies(
                        e ->
                                assertThat(ExceptionUtils.stringifyException(e))
                                        .contains(
                                                "option system-prompt is Hi; allowed: only with a"
                                                        + " model that renders chats: option"
                                                        + " model.path is ",
                                                reason));
    }

    @Test
    void refusesToCutAChat(@TempDir Path folder) throws Exception {
        createModel(
                GoldenCase.modelWithChatTemplate(folder, "{{ messages[0].content }}"),
                INPUT,
                OUTPUT,
                Map.of("system-prompt", "Hi", "max-context-size", "8"));

        assertThatThrownBy(this::plan)
                .satisfies(
                        e ->
                                assertThat(ExceptionUtils.stringifyException(e))
                                        .contains(
                                                "option max-context-size is 8; allowed: only"
                                                        + " without system-prompt"));
    }

    @Test
    void aModelThatIsMissingIsFoundOutWhereItIsOpened() {
        tables.executeSql(
                "CREATE MODEL intents INPUT (prompt STRING) OUTPUT (completion STRING) WITH"
                        + " ('provider' = 'layerskip', 'model.path' = '/nowhere')");

        assertThatThrownBy(() -> tables.executeSql(query("prompt")).await())
                .satisfies(
                        e ->
                                assertThat(ExceptionUtils.stringifyException(e))
                                        .contains(
                                                "/nowhere/config.json is missing or not readable"));
    }

    @Test
    void aModelAtAnAddressNeedsAFolderThatItIsFetchedTo() {
        tables.executeSql(
                "CREATE MODEL intents INPUT (prompt STRING) OUTPUT (completion STRING) WITH"
                        + " ('provider' = 'layerskip', 'model.path' = 's3://models/tiny')");

        assertThatThrownBy(this::plan)
                .satisfies(
                        e ->
                                assertThat(ExceptionUtils.stringifyException(e))
                                        .contains(
                                                "option cache-folder is missing; allowed: a folder,"
                                                        + " which the model is fetched to, since"
                                                        + " model.path is an address"));
    }

    @Test
    void aRefusalIsAValidationException() {
        createModel(INPUT, OUTPUT, Map.of("top-p", "7"));

        assertThatThrownBy(this::plan).isInstanceOf(ValidationException.class);
    }

    private void createModel(String input, String output, Map<String, String> options) {
        createModel(GoldenCase.model(), input, output, options);
    }

    private void createModel(Path model, String input, String output, Map<String, String> options) {
        tables.executeSql(
                "CREATE MODEL intents INPUT (%s) OUTPUT (%s) WITH ('provider' = 'layerskip', 'model.path' = '%s'%s)"
                        .formatted(
                                input,
                                output,
                                model,
                                options.entrySet().stream()
                                        .map(
                                                o ->
                                                        ", '%s' = '%s'"
                                                                .formatted(
                                                                        o.getKey(), o.getValue()))
                                        .collect(Collectors.joining())));
    }

    private void plan() {
        plan("prompt");
    }

    private void plan(String arguments) {
        tables.explainSql(query(arguments));
    }

    private static String query(String arguments) {
        return "SELECT * FROM ML_PREDICT(TABLE messages, MODEL intents, DESCRIPTOR(%s))"
                .formatted(arguments);
    }
}
