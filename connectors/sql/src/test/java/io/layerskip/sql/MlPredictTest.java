package io.layerskip.sql;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.layerskip.engine.Confidence;
import io.layerskip.engine.GenerationParameters;
import io.layerskip.engine.GenerationRequest;
import io.layerskip.engine.GenerationResult;
import io.layerskip.flink.CborTypeInformation;
import io.layerskip.flink.LayerSkipAsyncFunction;
import io.layerskip.flink.LayerSkipConfiguration;
import io.layerskip.flink.LayerSkipOptions;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.api.common.state.CheckpointListener;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.Table;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.types.Row;
import org.apache.flink.util.ExceptionUtils;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The provider under Flink's own planner, with the bundled model. */
@Timeout(180)
final class MlPredictTest {

    private static final String ALL_COLUMNS =
            "completion STRING, error STRING, prompt_tokens INT, completion_tokens INT";
    private static final String PROMPT = "banking: I lost my card\n";
    private static final String COMPLETION = "{\"intent\":\"lost_or_stolen_card\"}";
    private static final String TOO_LONG = "word ".repeat(1_000);
    private static final String TOO_LONG_REASON =
            "PROMPT_TOO_LONG: the prompt has 2001 tokens; allowed: at most 511, one less than the"
                    + " model's context";

    private final StreamExecutionEnvironment flink =
            StreamExecutionEnvironment.getExecutionEnvironment(
                    new Configuration().set(RestartStrategyOptions.RESTART_STRATEGY, "disable"));
    private final StreamTableEnvironment tables = StreamTableEnvironment.create(flink);

    @Test
    void completesAPromptInEveryOutputColumn() throws Exception {
        createModel(ALL_COLUMNS, Map.of());

        assertThat(predict("completion, error, prompt_tokens, completion_tokens", PROMPT))
                .containsExactly(Row.of(0, COMPLETION, null, 8, 12));
    }

    @Test
    void hasTheColumnsThatAreDeclaredInTheirOrder() throws Exception {
        createModel("completion_tokens INT, completion STRING", Map.of());

        assertThat(predict("*", PROMPT)).containsExactly(Row.of(0, 0, PROMPT, 12, COMPLETION));
    }

    @Test
    void completesNullAsNull() throws Exception {
        createModel(ALL_COLUMNS, Map.of());

        assertThat(predict("completion, error, prompt_tokens, completion_tokens", PROMPT, null))
                .containsExactlyInAnyOrder(
                        Row.of(0, COMPLETION, null, 8, 12), Row.of(1, null, null, null, null));
    }

    @Test
    void givesTheReasonWhereThereIsAColumnForIt() throws Exception {
        createModel(ALL_COLUMNS, Map.of());

        assertThat(predict("completion, error, prompt_tokens, completion_tokens", TOO_LONG, PROMPT))
                .containsExactlyInAnyOrder(
                        Row.of(0, null, TOO_LONG_REASON, null, null),
                        Row.of(1, COMPLETION, null, 8, 12));
    }

    @Test
    void failsTheJobWhereThereIsNone() {
        createModel("completion STRING", Map.of());

        assertThatThrownBy(() -> predict("completion", TOO_LONG))
                .satisfies(
                        e ->
                                assertThat(ExceptionUtils.stringifyException(e))
                                        .contains(
                                                "A prompt has no completion: " + TOO_LONG_REASON,
                                                "With an output column error STRING, or with"
                                                        + " 'error-handling-strategy' = 'IGNORE'"));
    }

    @Test
    void leavesTheRowOutWhereThatIsAskedFor() throws Exception {
        createModel("completion STRING", Map.of("error-handling-strategy", "ignore"));

        assertThat(predict("completion", TOO_LONG, PROMPT)).containsExactly(Row.of(1, COMPLETION));
    }

    @Test
    void completesOneRowAfterTheOtherIfThatIsAskedFor() throws Exception {
        createModel(ALL_COLUMNS, Map.of());
        createMessages(PROMPT, null, TOO_LONG);

        assertThat(
                        collect(
                                query("id, completion, error", "messages")
                                        .replace("))", "), MAP['async', 'false'])")))
                .containsExactlyInAnyOrder(
                        Row.of(0, COMPLETION, null),
                        Row.of(1, null, null),
                        Row.of(2, null, TOO_LONG_REASON));
    }

    @Test
    void writesWhatTheReferenceWrites() throws Exception {
        List<GoldenCase> cases = GoldenCase.all();
        createModel("completion STRING", Map.of());

        List<Row> rows =
                predict(
                        "completion",
                        cases.stream().map(GoldenCase::prompt).toArray(String[]::new));

        assertThat(rows).hasSize(120);
        assertThat(rows)
                .allSatisfy(
                        row ->
                                assertThat(row.getField(1))
                                        .isEqualTo(
                                                cases.get(row.<Integer>getFieldAs(0))
                                                        .completion()));
    }

    @Test
    void samplesTheTextsOfTheDataStreamFunction() throws Exception {
        List<String> prompts = GoldenCase.all().stream().map(GoldenCase::prompt).toList();
        createModel("completion STRING", Map.of("temperature", "1.5", "seed", "7"));

        Map<Object, Object> texts =
                predict("completion", prompts.toArray(String[]::new)).stream()
                        .collect(Collectors.toMap(row -> row.getField(0), row -> row.getField(1)));

        assertThat(texts)
                .isEqualTo(
                        byTheDataStreamFunction(
                                prompts,
                                GenerationParameters.builder().temperature(1.5).seed(7).build(),
                                GenerationResult::text));
    }

    @ParameterizedTest
    @ValueSource(strings = {"presence-penalty", "frequency-penalty"})
    void appliesAPenaltyAsTheDataStreamFunctionDoes(String penalty) throws Exception {
        List<String> prompts = GoldenCase.all().stream().map(GoldenCase::prompt).toList();
        createModel("completion STRING", Map.of("temperature", "1.5", "seed", "7", penalty, "2.0"));
        GenerationParameters.Builder parameters =
                GenerationParameters.builder().temperature(1.5).seed(7);
        Map<Object, String> without =
                byTheDataStreamFunction(prompts, parameters.build(), GenerationResult::text);
        GenerationParameters penalised =
                penalty.startsWith("presence")
                        ? parameters.presencePenalty(2).build()
                        : parameters.frequencyPenalty(2).build();

        Map<Object, Object> texts =
                predict("completion", prompts.toArray(String[]::new)).stream()
                        .collect(Collectors.toMap(row -> row.getField(0), row -> row.getField(1)));

        assertThat(texts)
                .isEqualTo(byTheDataStreamFunction(prompts, penalised, GenerationResult::text))
                .isNotEqualTo(without);
    }

    @Test
    void tellsHowSureTheModelWasAsTheDataStreamFunctionDoes() throws Exception {
        List<String> prompts =
                GoldenCase.all().subList(0, 30).stream().map(GoldenCase::prompt).toList();
        createModel(
                "least_probability DOUBLE, completion STRING, mean_probability DOUBLE", Map.of());

        List<Row> rows =
                predict("mean_probability, least_probability", prompts.toArray(String[]::new));

        Map<Object, Confidence> expected =
                byTheDataStreamFunction(
                        prompts,
                        GenerationParameters.builder().returnConfidence(true).build(),
                        result -> result.confidence().orElseThrow());
        assertThat(rows).hasSameSizeAs(prompts);
        assertThat(rows)
                .allSatisfy(
                        row -> {
                            Confidence confidence = expected.get(row.getField(0));
                            assertThat(row.<Double>getFieldAs(1))
                                    .isCloseTo(confidence.meanProbability(), within(1e-4));
                            assertThat(row.<Double>getFieldAs(2))
                                    .isCloseTo(confidence.leastProbability(), within(1e-4))
                                    .isBetween(0.0, row.<Double>getFieldAs(1));
                        });
        assertThat(rows).extracting(row -> row.getField(1)).doesNotHaveDuplicates();
    }

    @Test
    void isSureOfNothingWhereThereIsNoCompletion() throws Exception {
        createModel(
                "completion STRING, error STRING, mean_probability DOUBLE, least_probability"
                        + " DOUBLE",
                Map.of());

        assertThat(predict("error, mean_probability, least_probability", TOO_LONG, null))
                .containsExactlyInAnyOrder(
                        Row.of(0, TOO_LONG_REASON, null, null), Row.of(1, null, null, null));
    }

    @Test
    void aCompletionThatIsNoJsonObjectIsAnErrorOfItsRowWhereOneIsAskedFor() throws Exception {
        createModel(
                "completion STRING, error STRING",
                Map.of("response-format", "json_object", "max-tokens", "64", "stop", "swallow"));

        List<Row> rows =
                predict("completion, error", PROMPT, "banking: The cash machine kept my card\n");

        assertThat(rows).hasSize(2).contains(Row.of(0, COMPLETION, null));
        assertThat(rows)
                .anySatisfy(
                        row ->
                                assertThat(row.<String>getFieldAs(2))
                                        .startsWith("UNUSABLE_COMPLETION: the completion is no"));
    }

    @Test
    void answersARowAsAChatWhereThereIsASystemPrompt(@TempDir Path folder) throws Exception {
        Path model =
                GoldenCase.modelWithChatTemplate(
                        folder,
                        "{{ bos_token }}{% for m in messages %}{{ m.content }}{{ ': ' if m.role =="
                                + " 'system' else '\\n' if m.role == 'user' }}{% endfor %}");
        tables.executeSql(
                model(model, ALL_COLUMNS, Map.of("system-prompt", "banking", "max-tokens", "64")));

        assertThat(
                        predict(
                                "completion, error, prompt_tokens, completion_tokens",
                                "I lost my card",
                                null))
                .containsExactlyInAnyOrder(
                        Row.of(0, COMPLETION, null, 8, 12), Row.of(1, null, null, null, null));
    }

    @Test
    void aChatThatTheTemplateRefusesIsAnErrorOfItsRow(@TempDir Path folder) throws Exception {
        Path model =
                GoldenCase.modelWithChatTemplate(
                        folder,
                        "{% if not messages[1].content %}{{ raise_exception('nothing is asked')"
                                + " }}{% endif %}{{ bos_token }}banking: {{ messages[1].content"
                                + " }}{{ '\\n' }}");
        tables.executeSql(model(model, ALL_COLUMNS, Map.of("system-prompt", "Hi")));

        List<Row> rows = predict("completion, error", "", "I lost my card");

        assertThat(rows).hasSize(2).contains(Row.of(1, COMPLETION, null));
        assertThat(rows)
                .anySatisfy(
                        row ->
                                assertThat(row.<String>getFieldAs(2))
                                        .startsWith("INVALID_REQUEST: ")
                                        .contains("nothing is asked"));
    }

    @Test
    void completesAnEmptyPromptFromTheBeginOfSequenceTokenAlone() throws Exception {
        createModel(ALL_COLUMNS, Map.of("max-tokens", "5"));
        Map<Object, String> expected =
                byTheDataStreamFunction(
                        List.of(""),
                        GenerationParameters.builder().maxTokens(5).build(),
                        GenerationResult::text);

        assertThat(predict("completion, error, prompt_tokens", ""))
                .containsExactly(Row.of(0, expected.get(0), null, 1));
    }

    private <T> Map<Object, T> byTheDataStreamFunction(
            List<String> prompts,
            GenerationParameters parameters,
            Function<GenerationResult, T> value)
            throws Exception {
        List<GenerationRequest> requests =
                IntStream.range(0, prompts.size())
                        .mapToObj(
                                i ->
                                        new GenerationRequest(
                                                Integer.toString(i), prompts.get(i), parameters))
                        .toList();
        DataStream<GenerationRequest> stream =
                flink.fromData(requests, CborTypeInformation.forRecord(GenerationRequest.class));
        Configuration options =
                new Configuration().set(LayerSkipOptions.MODEL_PATH, GoldenCase.model().toString());
        return Results.all(
                        LayerSkipAsyncFunction.generate(
                                        stream, LayerSkipConfiguration.from(options))
                                .executeAndCollect())
                .stream()
                .collect(Collectors.toMap(result -> Integer.valueOf(result.id()), value));
    }

    @Test
    void samplesTheSameTextsInEveryRunWithoutASeed() throws Exception {
        createModel("completion STRING", Map.of("temperature", "1.5"));

        List<Row> rows = predict("completion", PROMPT, PROMPT);

        assertThat(rows.get(0).getField(1)).isEqualTo(rows.get(1).getField(1));
        assertThat(predict("completion", PROMPT, PROMPT)).containsExactlyInAnyOrderElementsOf(rows);
    }

    @Test
    void endsACompletionBeforeAStopText() throws Exception {
        createModel("completion STRING", Map.of("stop", "_stolen,nothing"));

        assertThat(predict("completion", PROMPT))
                .containsExactly(Row.of(0, "{\"intent\":\"lost_or"));
    }

    @Test
    void endsARowBeforeMlPredictWouldFailTheJob() throws Exception {
        createModel(
                "completion STRING, error STRING",
                Map.of("temperature", "100", "max-tokens", "500", "threads", "1"));
        createMessages(IntStream.range(0, 64).mapToObj(i -> PROMPT + i).toArray(String[]::new));

        List<Row> rows =
                collect(
                        query("id, error", "messages")
                                .replace(
                                        "))",
                                        "), MAP['timeout', '500 ms',"
                                                + " 'max-concurrent-operations', '64'])"));

        assertThat(rows).hasSize(64);
        assertThat(rows)
                .extracting(row -> row.getField(1))
                .contains("TIMEOUT: not done within 90 % of ML_PREDICT's timeout of 450 ms");
    }

    @Test
    void endsARowAfterTheModelsOwnTimeout() throws Exception {
        createModel("completion STRING, error STRING", Map.of("request-timeout", "1 ms"));

        assertThat(predict("error", PROMPT))
                .containsExactly(Row.of(0, "TIMEOUT: not done within request-timeout of 1 ms"));
    }

    @Test
    void cutsOffTheTailOfAPromptOfTooManyTokens() throws Exception {
        createModel(ALL_COLUMNS, Map.of("max-context-size", "8"));

        assertThat(predict("completion, prompt_tokens", PROMPT + TOO_LONG))
                .containsExactly(Row.of(0, COMPLETION, 8));
    }

    @Test
    void cutsOffTheHeadOfAPromptOfTooManyTokens() throws Exception {
        createModel(
                ALL_COLUMNS,
                Map.of(
                        "max-context-size", "8",
                        "context-overflow-action", "truncated-head-log"));

        Row row = predict("completion, prompt_tokens", TOO_LONG + PROMPT).get(0);

        assertThat(row.getField(2)).isEqualTo(8);
        assertThat(row.<String>getFieldAs(1)).contains("lost");
    }

    @Test
    void takesAPromptOfFiveMegabytes() throws Exception {
        String huge = "word ".repeat(1 << 20);
        createModel(ALL_COLUMNS, Map.of("max-context-size", "8"));

        assertThat(predict("completion, prompt_tokens", PROMPT + huge))
                .containsExactly(Row.of(0, COMPLETION, 8));
    }

    @Test
    void refusesAPromptOfFiveMegabytesIfItIsNotToBeCut() throws Exception {
        createModel(ALL_COLUMNS, Map.of());

        List<Row> rows = predict("completion, error", "word ".repeat(1 << 20), PROMPT);

        assertThat(rows).hasSize(2).contains(Row.of(1, COMPLETION, null));
        assertThat(rows)
                .anySatisfy(
                        row ->
                                assertThat(row.<String>getFieldAs(2))
                                        .startsWith("PROMPT_TOO_LONG: the prompt has at least "));
    }

    @Test
    void leavesOutTheRowOfAPromptOfTooManyTokensIfThatIsAskedFor() throws Exception {
        createModel(
                ALL_COLUMNS, Map.of("max-context-size", "8", "context-overflow-action", "skipped"));

        assertThat(predict("completion", PROMPT + "more", PROMPT))
                .containsExactly(Row.of(1, COMPLETION));
    }

    @Test
    void queriesOfAJobMayUseModelsThatDifferInWhatARowAsksFor() throws Exception {
        createModel("completion STRING", Map.of());
        tables.executeSql(
                "CREATE MODEL brief INPUT (prompt STRING) OUTPUT (completion STRING) WITH ("
                        + with(GoldenCase.model(), Map.of("max-tokens", "2"))
                        + ")");
        createMessages(PROMPT);

        assertThat(
                        collect(
                                query("id, completion", "messages")
                                        + " UNION ALL "
                                        + query("id, completion", "messages")
                                                .replace("MODEL intents", "MODEL brief")))
                .contains(Row.of(0, COMPLETION))
                .hasSize(2)
                .allSatisfy(row -> assertThat(COMPLETION).startsWith(row.getFieldAs(1)));
    }

    @Test
    void aRestartLosesNoRowAndDoublesNone() throws Exception {
        FailsOnce.FAILED.set(false);
        StreamExecutionEnvironment restarting =
                StreamExecutionEnvironment.getExecutionEnvironment(
                        new Configuration()
                                .set(RestartStrategyOptions.RESTART_STRATEGY, "fixed-delay")
                                .set(
                                        RestartStrategyOptions
                                                .RESTART_STRATEGY_FIXED_DELAY_ATTEMPTS,
                                        1));
        restarting.setParallelism(2);
        restarting.enableCheckpointing(50);
        StreamTableEnvironment restartingTables = StreamTableEnvironment.create(restarting);
        restartingTables.executeSql(model(ALL_COLUMNS, Map.of()));
        List<GoldenCase> cases = GoldenCase.all();
        List<String> prompts = cases.stream().map(GoldenCase::prompt).toList();
        TypeInformation<Row> type =
                Types.ROW_NAMED(new String[] {"id", "prompt"}, Types.INT, Types.STRING);
        DataStream<Row> messages =
                restarting
                        .fromSequence(0, 599)
                        .map(i -> Row.of(i.intValue(), prompts.get((int) (i % prompts.size()))))
                        .returns(type);
        restartingTables.createTemporaryView("messages", messages);

        DataStream<Row> completions =
                restartingTables
                        .toDataStream(
                                restartingTables.sqlQuery(query("id, completion", "messages")))
                        .map(new FailsOnce())
                        .returns(Types.ROW(Types.INT, Types.STRING));
        List<Row> rows = Results.all(completions.executeAndCollect());

        assertThat(FailsOnce.FAILED).isTrue();
        assertThat(rows)
                .extracting(row -> row.<Integer>getFieldAs(0))
                .containsExactlyInAnyOrderElementsOf(IntStream.range(0, 600).boxed().toList());
        assertThat(rows)
                .allSatisfy(
                        row ->
                                assertThat(row.getField(1))
                                        .isEqualTo(
                                                cases.get(row.<Integer>getFieldAs(0) % cases.size())
                                                        .completion()));
    }

    /** Fails after the first checkpoint, with rows in flight before it. */
    private static final class FailsOnce implements MapFunction<Row, Row>, CheckpointListener {

        private static final long serialVersionUID = 1;
        private static final AtomicBoolean FAILED = new AtomicBoolean();

        private boolean checkpointed;

        @Override
        public void notifyCheckpointComplete(long id) {
            checkpointed = true;
        }

        @Override
        public Row map(Row row) {
            if (checkpointed && FAILED.compareAndSet(false, true)) {
                throw new IllegalStateException("fails once");
            }
            return row;
        }
    }

    private void createModel(String columns, Map<String, String> options) {
        tables.executeSql(model(columns, options));
    }

    private static String model(String columns, Map<String, String> options) {
        return model(GoldenCase.model(), columns, options);
    }

    private static String model(Path model, String columns, Map<String, String> options) {
        return "CREATE MODEL intents INPUT (prompt STRING) OUTPUT (%s) WITH (%s)"
                .formatted(columns, with(model, options));
    }

    private static String with(Path model, Map<String, String> options) {
        return "'provider' = 'layerskip', 'model.path' = '%s'".formatted(model)
                + options.entrySet().stream()
                        .map(o -> ", '%s' = '%s'".formatted(o.getKey(), o.getValue()))
                        .collect(Collectors.joining());
    }

    private void createMessages(String... prompts) {
        List<Row> rows = new ArrayList<>();
        for (String prompt : prompts) {
            rows.add(Row.of(rows.size(), prompt));
        }
        Table values =
                tables.fromValues(
                        DataTypes.ROW(
                                DataTypes.FIELD("id", DataTypes.INT()),
                                DataTypes.FIELD("prompt", DataTypes.STRING())),
                        rows);
        tables.createTemporaryView("messages", values);
    }

    /** Rows of id and the columns that are asked for. */
    private List<Row> predict(String columns, String... prompts) throws Exception {
        tables.dropTemporaryView("messages");
        createMessages(prompts);
        return collect(query("id, " + columns, "messages"));
    }

    private static String query(String columns, String table) {
        return "SELECT %s FROM ML_PREDICT(TABLE %s, MODEL intents, DESCRIPTOR(prompt))"
                .formatted(columns, table);
    }

    private List<Row> collect(String query) throws Exception {
        return Results.all(tables.executeSql(query).collect());
    }
}
