package io.layerskip.flink;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.layerskip.chat.Chat;
import io.layerskip.chat.ChatMessage;
import io.layerskip.engine.Choice;
import io.layerskip.engine.GenerationParameters;
import io.layerskip.engine.GenerationRequest;
import io.layerskip.engine.GenerationResult;
import io.layerskip.engine.TokenLogprob;
import io.layerskip.forward.Precision;
import io.layerskip.model.BundledModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.api.datastream.AsyncDataStream.OutputMode;
import org.apache.flink.streaming.util.AbstractStreamOperatorTestHarness;
import org.apache.flink.streaming.util.OperatorSnapshotUtil;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Generations that go on from a checkpoint. */
@SuppressWarnings("try") // The harness declares that close() throws any exception.
final class ResumeTest {

    private static final String PROMPT = "banking: Where is my card?\n";
    private static final int LONG = 400;

    private static final Path SAVEPOINTS = Path.of("src", "test", "resources", "savepoints");

    /** Tokens of all requests in union list state; the requests in Flink's own. */
    private static final Path SAVEPOINT = SAVEPOINTS.resolve("generate-1");

    /** The same with the requests in union list state too. */
    private static final Path ROUTED_SAVEPOINT = SAVEPOINTS.resolve("generate-2");

    /** Written by {@link #writesTheSavepoint}: each request with its tokens. */
    private static final Path NEWEST_SAVEPOINT = SAVEPOINTS.resolve("generate-3");

    @ParameterizedTest
    @ValueSource(doubles = {0, 1.5})
    void goesOnAfterTheTokensOfTheLastCheckpoint(double temperature) throws Exception {
        GenerationRequest request = request("1", LONG, temperature);
        OperatorSubtaskState last = null;
        GenerationResult undisturbed;
        try (Subtask subtask = start(OutputMode.UNORDERED)) {
            subtask.process(request);
            for (OperatorSubtaskState state = subtask.checkpoint();
                    read(state).stream().noneMatch(ResumeTest::ended);
                    state = subtask.checkpoint()) {
                last = read(state).isEmpty() ? null : state;
            }
            undisturbed = subtask.finish().get(0);
        }
        int written = read(last).get(0).tokens();

        try (Subtask subtask = restore(OutputMode.UNORDERED, last)) {
            List<GenerationResult> results = subtask.finish();

            assertThat(results).hasSize(1);
            assertThat(results.get(0).tokenIds()).isEqualTo(undisturbed.tokenIds());
            assertThat(results.get(0).text()).isEqualTo(undisturbed.text());
            assertThat(subtask.counter("resumedTokens")).isEqualTo(written);
            assertThat(subtask.counter("tokens")).isEqualTo(LONG - written);
            // The tokens written before take one pass, which counts as a prompt's.
            assertThat(results.get(0).statistics().rounds())
                    .isEqualTo(undisturbed.statistics().rounds() - 1);
        }
    }

    @Test
    void goesOnWithSeveralCompletionsAndTheirLogProbabilities() throws Exception {
        GenerationParameters parameters =
                GenerationParameters.builder()
                        .maxTokens(200)
                        .temperature(1.2)
                        .seed(7)
                        .ignoreEos(true)
                        .n(3)
                        .logprobs(2)
                        .returnConfidence(true)
                        .presencePenalty(0.2)
                        .frequencyPenalty(0.1)
                        .build();
        GenerationRequest request = new GenerationRequest("1", PROMPT, parameters);
        OperatorSubtaskState last = null;
        GenerationResult undisturbed;
        try (Subtask subtask = start(OutputMode.UNORDERED)) {
            subtask.process(request);
            for (OperatorSubtaskState state = subtask.checkpoint();
                    read(state).stream().noneMatch(ResumeTest::ended);
                    state = subtask.checkpoint()) {
                last = read(state).isEmpty() ? null : state;
            }
            undisturbed = subtask.finish().get(0);
        }
        SavedGeneration saved = read(last).get(0);
        assertThat(saved.progress().logprobs()).hasSameSizeAs(saved.progress().tokenIds());
        assertThat(saved.progress().moreChoices()).hasSize(2);

        try (Subtask subtask = restore(OutputMode.UNORDERED, last)) {
            GenerationResult result = subtask.finish().get(0);

            assertThat(subtask.counter("resumedTokens")).isEqualTo(saved.tokens());
            assertThat(subtask.counter("tokens")).isEqualTo(3 * 200 - saved.tokens());
            for (int i = 0; i < 3; i++) {
                Choice choice = result.choices().get(i);
                Choice expected = undisturbed.choices().get(i);
                assertThat(choice.text()).isEqualTo(expected.text());
                assertThat(choice.tokenIds()).isEqualTo(expected.tokenIds());
                for (int token = 0; token < 200; token++) {
                    TokenLogprob chosen = choice.logprobs().get(token).chosen();
                    TokenLogprob before = expected.logprobs().get(token).chosen();
                    assertThat(chosen.text()).isEqualTo(before.text());
                    assertThat(chosen.logprob()).isCloseTo(before.logprob(), within(1e-3));
                }
                assertThat(choice.confidence().orElseThrow().meanProbability())
                        .isCloseTo(
                                expected.confidence().orElseThrow().meanProbability(),
                                within(1e-3));
            }
        }
    }

    @Test
    void goesOnWithAChatIfTheTemplateIsTheSame(@TempDir Path first, @TempDir Path second)
            throws Exception {
        Path model =
                BundledModel.withChatTemplate(first, "{{ bos_token }}{{ messages[0].content }}");
        GenerationRequest chat =
                GenerationRequest.ofChat(
                        "1",
                        Chat.of(List.of(new ChatMessage("user", PROMPT)), Instant.EPOCH),
                        request("1", LONG, 0).parameters(),
                        new byte[0]);
        OperatorSubtaskState state;
        try (Subtask subtask = Subtask.start(operator(OutputMode.UNORDERED, at(model)))) {
            subtask.process(chat);
            state = checkpointWhere(subtask, saved -> saved.stream().anyMatch(s -> s.tokens() > 0));
        }
        int written = read(state).get(0).tokens();

        try (Subtask subtask = restore(OutputMode.UNORDERED, state, 1, 0, at(model))) {
            assertThat(subtask.finish().get(0).tokenIds()).hasSize(LONG);
            assertThat(subtask.counter("resumedTokens")).isEqualTo(written);
        }
        Path changed = BundledModel.withChatTemplate(second, "{{ messages[0].content }}");
        try (Subtask subtask = restore(OutputMode.UNORDERED, state, 1, 0, at(changed))) {
            assertThat(subtask.finish().get(0).tokenIds()).hasSize(LONG);
            assertThat(subtask.counter("resumedTokens")).isZero();
        }
    }

    private static Configuration at(Path model) {
        return new Configuration().set(LayerSkipOptions.MODEL_PATH, model.toString());
    }

    @Test
    void recomputesNoMoreThanCameAfterTheLastCheckpoint() throws Exception {
        OperatorSubtaskState state;
        long before;
        try (Subtask subtask = start(OutputMode.UNORDERED)) {
            subtask.process(request("1", LONG, 0));
            state = checkpointWhere(subtask, saved -> saved.stream().anyMatch(s -> s.tokens() > 0));
            await(() -> subtask.counter("tokens") >= LONG * 8 / 10);
            subtask.close(); // Ends what runs.
            before = subtask.counter("tokens");
        }

        try (Subtask subtask = restore(OutputMode.UNORDERED, state)) {
            assertThat(subtask.finish().get(0).tokenIds()).hasSize(LONG);
            long recomputed = before + subtask.counter("tokens") - LONG;
            assertThat(recomputed).isEqualTo(before - read(state).get(0).tokens());
        }
    }

    @Test
    void findsTheTokensInAnyParallelism() throws Exception {
        List<String> ids = List.of("1", "2", "3", "4");
        OperatorSubtaskState both;
        try (Subtask first = start(OutputMode.UNORDERED);
                Subtask second = start(OutputMode.UNORDERED)) {
            first.process(request("1", LONG, 0));
            first.process(request("2", LONG, 1));
            second.process(request("3", LONG, 0));
            second.process(request("4", LONG, 1));
            both =
                    AbstractStreamOperatorTestHarness.repackageState(
                            checkpointWhere(first, saved -> saved.size() == 2),
                            checkpointWhere(second, saved -> saved.size() == 2));
        }
        int saved = read(both).stream().mapToInt(SavedGeneration::tokens).sum();

        List<GenerationResult> results = new ArrayList<>();
        long resumed = 0;
        for (int i = 0; i < 3; i++) {
            OperatorSubtaskState third =
                    AbstractStreamOperatorTestHarness.repartitionOperatorState(
                            both, Subtask.MAX_PARALLELISM, 2, 3, i);
            try (Subtask subtask = restore(OutputMode.UNORDERED, third, 3, i)) {
                results.addAll(subtask.finish());
                resumed += subtask.counter("resumedTokens");
            }
        }

        assertThat(results)
                .extracting(GenerationResult::id)
                .containsExactlyInAnyOrderElementsOf(ids);
        assertThat(resumed).isEqualTo(saved);
    }

    @Test
    void keepsResultsThatWaitForThoseBeforeThem() throws Exception {
        OperatorSubtaskState state;
        try (Subtask subtask = start(OutputMode.ORDERED)) {
            subtask.process(request("slow", LONG, 0));
            subtask.process(request("quick", 3, 0));
            state = checkpointWhere(subtask, saved -> saved.size() == 2 && ended(saved.get(1)));
        }

        try (Subtask subtask = restore(OutputMode.ORDERED, state)) {
            List<GenerationResult> results = subtask.finish();

            assertThat(results).extracting(GenerationResult::id).containsExactly("slow", "quick");
            assertThat(results.get(1).tokenIds()).hasSize(3);
            assertThat(subtask.counter("resumedTokens"))
                    .isEqualTo(read(state).stream().mapToInt(SavedGeneration::tokens).sum());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"ORDERED", "UNORDERED"})
    void keepsNothingOfResultsThatHaveLeft(OutputMode order) throws Exception {
        try (Subtask subtask = start(order)) {
            subtask.process(request("1", 5, 0));
            subtask.process(request("2", 5, 0));
            subtask.finish();

            assertThat(read(subtask.checkpoint())).isEmpty();
        }
    }

    @Test
    void keepsNothingThatNobodyWasGiven() throws Exception {
        OperatorSubtaskState state = OperatorSnapshotUtil.readStateHandle(SAVEPOINT.toString());
        // Of two subtasks, the second is given the generations, but no request.
        OperatorSubtaskState half =
                AbstractStreamOperatorTestHarness.repartitionOperatorState(
                        state, Subtask.MAX_PARALLELISM, 1, 8, 7);

        try (Subtask subtask = restore(OutputMode.ORDERED, half, 8, 7)) {
            assertThat(read(half)).isNotEmpty();
            assertThat(read(subtask.checkpoint())).isEmpty();
        }
    }

    @Test
    void startsOverWithAnotherSetting() throws Exception {
        OperatorSubtaskState state;
        try (Subtask subtask = start(OutputMode.UNORDERED)) {
            subtask.process(request("1", LONG, 0));
            state = checkpointWhere(subtask, saved -> !saved.isEmpty());
        }
        Configuration changed = new Configuration().set(LayerSkipOptions.TOP_K, 7);

        try (Subtask subtask = restore(OutputMode.UNORDERED, state, 1, 0, changed)) {
            assertThat(subtask.finish()).hasSize(1);
            assertThat(subtask.counter("resumedTokens")).isZero();
            assertThat(subtask.counter("restartedRequests")).isEqualTo(1);
            assertThat(subtask.counter("tokens")).isEqualTo(LONG);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"ORDERED", "UNORDERED"})
    void startsOverWithAnotherModelAndCountsThat(OutputMode order, @TempDir Path folder)
            throws Exception {
        Configuration other = at(BundledModel.withOtherWeights(folder));
        GenerationRequest slow = request("slow", LONG, 0);
        GenerationRequest quick = request("quick", 3, 0);
        List<GenerationResult> undisturbed;
        try (Subtask subtask = Subtask.start(operator(order, other))) {
            subtask.process(slow);
            subtask.process(quick);
            undisturbed = subtask.finish();
        }
        OperatorSubtaskState state;
        List<GenerationResult> before;
        try (Subtask subtask = start(order)) {
            subtask.process(slow);
            subtask.process(quick);
            state =
                    checkpointWhere(
                            subtask,
                            saved -> saved.size() == 2 && saved.stream().anyMatch(s -> ended(s)));
            before = subtask.finish();
        }

        try (Subtask subtask = restore(order, state, 1, 0, other)) {
            List<GenerationResult> results = subtask.finish();

            assertThat(tokensById(results))
                    .isEqualTo(tokensById(undisturbed))
                    .isNotEqualTo(tokensById(before));
            assertThat(subtask.counter("restartedRequests")).isEqualTo(2);
            assertThat(subtask.counter("resumedTokens")).isZero();
        }
    }

    private static Map<String, List<Integer>> tokensById(List<GenerationResult> results) {
        return results.stream()
                .collect(Collectors.toMap(GenerationResult::id, GenerationResult::tokenIds));
    }

    @Test
    void countsNoRestartOfWhatGoesOn() throws Exception {
        OperatorSubtaskState state;
        try (Subtask subtask = start(OutputMode.UNORDERED)) {
            subtask.process(request("1", LONG, 0));
            state = checkpointWhere(subtask, saved -> !saved.isEmpty());
        }
        try (Subtask subtask = restore(OutputMode.UNORDERED, state)) {
            assertThat(subtask.finish()).hasSize(1);
            assertThat(subtask.counter("restartedRequests")).isZero();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"generate-1", "generate-2", "generate-3"})
    void goesOnFromTheSavepointsOfEarlierVersions(String name) throws Exception {
        OperatorSubtaskState state =
                OperatorSnapshotUtil.readStateHandle(SAVEPOINTS.resolve(name).toString());

        List<SavedGeneration> saved = read(state);
        assertThat(saved).extracting(ResumeTest::ended).containsExactly(false, false, true);
        try (Subtask subtask = restore(OutputMode.ORDERED, state)) {
            List<GenerationResult> results = subtask.finish();

            // Not compared with an undisturbed run: another kind of CPU may round differently.
            for (int i = 0; i < 2; i++) {
                assertThat(results.get(i).tokenIds())
                        .hasSize(LONG)
                        .startsWith(saved.get(i).progress().tokenIds().toArray(Integer[]::new));
            }
            assertThat(results.get(2).tokenIds())
                    .isEqualTo(saved.get(2).result().orElseThrow().tokenIds());
            assertThat(subtask.counter("resumedTokens"))
                    .isEqualTo(saved.stream().mapToInt(SavedGeneration::tokens).sum());
        }
    }

    @Test
    void knowsARequestThatAsksForNothingByTheKeyThatSavepointsHave() throws Exception {
        GenerationRequest request =
                new GenerationRequest("1", PROMPT, GenerationParameters.DEFAULTS);

        assertThat(keyOf(request, new Configuration()))
                .isEqualTo("944e67e698aaaa5cfe6f002a3b784f6f6e81dc81d7efa3a76ec8f97d89fbd2d3");
    }

    @Test
    void knowsARequestThatAsksForEverythingByTheKeyThatSavepointsHave() throws Exception {
        GenerationParameters parameters =
                GenerationParameters.builder()
                        .maxTokens(20)
                        .temperature(0.5)
                        .topK(30)
                        .topP(0.25)
                        .seed(-7)
                        .stop("x", "y")
                        .assistantEarlyExit(2)
                        .numAssistantTokens(3)
                        .ignoreEos(true)
                        .build();
        Configuration options =
                new Configuration()
                        .set(LayerSkipOptions.ASSISTANT_EARLY_EXIT, List.of(2, 3))
                        .set(LayerSkipOptions.ASSISTANT_CONFIDENCE_THRESHOLD, 0.1)
                        .set(LayerSkipOptions.MAX_TOKENS, 50)
                        .set(LayerSkipOptions.TEMPERATURE, 0.7)
                        .set(LayerSkipOptions.TOP_K, 40)
                        .set(LayerSkipOptions.TOP_P, 0.9)
                        .set(LayerSkipOptions.PRECISION, Precision.INT8)
                        .set(LayerSkipOptions.SPLIT_SPECIAL_TOKENS, false);
        byte[] attachment = {1, 2, 3};

        assertThat(keyOf(new GenerationRequest("2", PROMPT, parameters, attachment), options))
                .isEqualTo("04bf04f70e8f3b9855ec6eaf6daacf1720cd5c00000ff0ac86229ecd4d1af415");
    }

    private static String keyOf(GenerationRequest request, Configuration options) throws Exception {
        try (Subtask subtask = Subtask.start(operator(OutputMode.UNORDERED, options))) {
            subtask.process(request);
            return read(checkpointWhere(subtask, saved -> !saved.isEmpty())).get(0).key();
        }
    }

    /** Run with -Dlayerskip.write-savepoint=true when the state has a new version. */
    @Test
    @EnabledIfSystemProperty(named = "layerskip.write-savepoint", matches = "true")
    void writesTheSavepoint() throws Exception {
        try (Subtask subtask = start(OutputMode.ORDERED)) {
            for (GenerationRequest request : savepointRequests()) {
                subtask.process(request);
            }
            OperatorSubtaskState state =
                    checkpointWhere(subtask, saved -> saved.size() == 3 && ended(saved.get(2)));
            Files.createDirectories(NEWEST_SAVEPOINT.getParent());
            OperatorSnapshotUtil.writeStateHandle(state, NEWEST_SAVEPOINT.toString());
        }
    }

    private static List<GenerationRequest> savepointRequests() {
        return List.of(request("1", LONG, 0), request("2", LONG, 1.5), request("3", 3, 0));
    }

    private static GenerationRequest request(String id, int tokens, double temperature) {
        GenerationParameters parameters =
                GenerationParameters.builder()
                        .maxTokens(tokens)
                        .temperature(temperature)
                        .numAssistantTokens(0)
                        .ignoreEos(true)
                        .build();
        return new GenerationRequest(id, PROMPT, parameters);
    }

    private static boolean ended(SavedGeneration saved) {
        return saved.result().isPresent();
    }

    /** What a checkpoint has of the generations. */
    private static List<SavedGeneration> read(OperatorSubtaskState checkpoint) throws IOException {
        List<SavedGeneration> generations = new ArrayList<>();
        generations.addAll(
                SavedState.read(
                        checkpoint, "generations", new CborSerializer<>(SavedGeneration.class)));
        SavedState.requests(checkpoint)
                .forEach(request -> request.generation().ifPresent(generations::add));
        return generations;
    }

    private static Subtask start(OutputMode order) throws Exception {
        return Subtask.start(operator(order, new Configuration()));
    }

    private static Subtask restore(OutputMode order, OperatorSubtaskState state) throws Exception {
        return restore(order, state, 1, 0);
    }

    private static Subtask restore(
            OutputMode order, OperatorSubtaskState state, int parallelism, int index)
            throws Exception {
        return restore(order, state, parallelism, index, new Configuration());
    }

    private static Subtask restore(
            OutputMode order,
            OperatorSubtaskState state,
            int parallelism,
            int index,
            Configuration changes)
            throws Exception {
        return Subtask.restore(operator(order, changes), state, parallelism, index);
    }

    private static GenerationOperatorFactory operator(OutputMode order, Configuration changes) {
        Configuration options =
                new Configuration()
                        .set(LayerSkipOptions.MODEL_PATH, BundledModel.folder().toString())
                        .set(LayerSkipOptions.NUM_ASSISTANT_TOKENS, "5")
                        .set(LayerSkipOptions.OUTPUT_ORDER, order);
        options.addAll(changes);
        return GenerationOperatorFactory.routing(
                LayerSkipConfiguration.from(options),
                (request, subtasks) -> 0,
                CheckpointedForm.WHOLE);
    }

    /** The first checkpoint in which the generations are as wanted. */
    private static OperatorSubtaskState checkpointWhere(
            Subtask subtask, Predicate<List<SavedGeneration>> wanted) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(1);
        OperatorSubtaskState state = subtask.checkpoint();
        while (!wanted.test(read(state))) {
            assertThat(System.nanoTime()).as("deadline").isLessThan(deadline);
            state = subtask.checkpoint();
        }
        return state;
    }

    private static void await(BooleanSupplier condition) throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(1);
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime()).as("deadline").isLessThan(deadline);
            Thread.sleep(1);
        }
    }
}
