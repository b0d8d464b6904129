package io.layerskip.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.layerskip.engine.GenerationParameters.Builder;
import io.layerskip.forward.BeforeLoading;
import io.layerskip.forward.KeyValueBlock;
import io.layerskip.forward.KeyValueCacheType;
import io.layerskip.forward.Precision;
import io.layerskip.model.BundledModel;
import io.layerskip.model.BundledModel.GoldenCase;
import io.layerskip.model.Checkpoint;
import io.layerskip.model.CheckpointWriter;
import io.layerskip.model.Weight;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GenerationEngineTest {

    private static final int CONTEXT = 512;
    private static final EngineSettings SETTINGS =
            EngineSettings.builder(2, 3)
                    .defaults(GenerationParameters.builder().numAssistantTokens(5).build())
                    .maxBatchSize(4)
                    .build();
    private static final GoldenCase GOLDEN = BundledModel.goldenCases().get(0);
    private static final GenerationFailure LATE =
            new GenerationFailure(GenerationFailure.Kind.TIMEOUT, "too late");

    private static Checkpoint checkpoint;
    private static GenerationEngine engine;

    @BeforeAll
    static void open() throws Exception {
        checkpoint = Checkpoint.open(BundledModel.folder());
        engine = GenerationEngine.open(checkpoint, SETTINGS);
    }

    @AfterAll
    static void close() {
        engine.close();
        checkpoint.close();
    }

    @Test
    void endsAtTheEndOfSequenceTokenWhichIsCountedButNotWritten() {
        GenerationResult result = generate(asked());

        assertThat(result.text()).isEqualTo(GOLDEN.completion());
        assertThat(result.finishReason()).isEqualTo(FinishReason.STOP);
        assertThat(result.tokenIds()).endsWith(1);
        assertThat(result.failure()).isEmpty();
    }

    @Test
    void countsWhatItTook() {
        GenerationStatistics plain = generate(asked().numAssistantTokens(0)).statistics();
        GenerationStatistics drafting = generate(asked().numAssistantTokens(5)).statistics();

        int written = GOLDEN.completionIds().length;
        assertThat(plain.promptTokens()).isEqualTo(GOLDEN.promptIds().length);
        assertThat(plain.completionTokens()).isEqualTo(written);
        assertThat(plain.rounds()).isEqualTo(written - 1);
        assertThat(plain.draftedTokens()).isZero();
        assertThat(plain.acceptanceRate()).isZero();
        assertThat(drafting.completionTokens()).isEqualTo(written);
        assertThat(drafting.rounds()).isLessThan(plain.rounds());
        // Each round writes its accepted drafts and at most one token of the model's own.
        assertThat(drafting.acceptedTokens() + drafting.rounds() + 1)
                .isBetween(written, written + 1);
        assertThat(drafting.queueNanos()).isPositive().isLessThan(drafting.timeToFirstTokenNanos());
        assertThat(drafting.timeToFirstTokenNanos()).isLessThan(drafting.totalNanos());
    }

    @Test
    void showsWhatItHasDone() {
        EngineStatus before = statusWhenIdle();

        GenerationStatistics statistics = generate(asked()).statistics();

        EngineStatus after = statusWhenIdle();
        assertThat(after.passes() - before.passes()).isEqualTo(statistics.rounds() + 1);
        assertThat(after.rows() - before.rows())
                .isBetween(
                        (long) statistics.draftedTokens() + statistics.rounds(),
                        (long) statistics.draftedTokens()
                                + statistics.rounds()
                                + statistics.promptTokens());
        assertThat(after.draftPasses()).isGreaterThan(before.draftPasses());
        assertThat(after.batchSize()).isEqualTo(1);
        assertThat(after.waiting()).isZero();
        assertThat(after.keyValueBlocksUsed()).isPositive().isLessThan(after.keyValueBlocks());
        assertThat(after.lastPass())
                .hasValueSatisfying(at -> assertThat(at).isBeforeOrEqualTo(Instant.now()));
    }

    /** A result completes before its round ends. */
    private static EngineStatus statusWhenIdle() {
        while (engine.status().running() > 0) {
            Thread.onSpinWait();
        }
        return engine.status();
    }

    @Test
    void showsWhoIsUnderWayAndWhoWaits() {
        List<Generation> generations =
                IntStream.range(0, 6)
                        .mapToObj(
                                i -> engine.submit(request(asked().ignoreEos(true).maxTokens(400))))
                        .toList();

        while (engine.status().running() < 4) {
            Thread.onSpinWait();
        }
        EngineStatus status = engine.status();
        assertThat(status.running()).isEqualTo(4);
        assertThat(status.waiting()).isEqualTo(2);
        generations.forEach(generation -> generation.abort(LATE));
        generations.forEach(generation -> generation.result().join());
        assertThat(statusWhenIdle().waiting()).isZero();
    }

    @Test
    void aFingerprintTellsPrecisionsApart() throws Exception {
        EngineSettings settings = SETTINGS.toBuilder().precision(Precision.INT8).build();
        try (GenerationEngine other = GenerationEngine.open(checkpoint, settings)) {
            assertThat(engine.systemFingerprint()).matches("fp_[0-9a-f]{10}");
            assertThat(other.systemFingerprint()).isNotEqualTo(engine.systemFingerprint());
        }
        assertThat(generate(asked()).systemFingerprint()).contains(engine.systemFingerprint());
    }

    @Test
    void aFingerprintTellsRoundedKeysAndValuesApart() throws Exception {
        EngineSettings settings = SETTINGS.toBuilder().kvCacheType(KeyValueCacheType.INT8).build();
        try (GenerationEngine other = GenerationEngine.open(checkpoint, settings)) {
            assertThat(other.systemFingerprint()).isNotEqualTo(engine.systemFingerprint());
        }
    }

    @Test
    void aFingerprintTellsTokenizersApart(@TempDir Path folder) throws Exception {
        for (Path file : Files.list(BundledModel.folder()).toList()) {
            Files.copy(file, folder.resolve(file.getFileName()));
        }
        Path tokenizer = folder.resolve("tokenizer.json");
        Files.writeString(tokenizer, Files.readString(tokenizer) + "\n");
        try (Checkpoint other = Checkpoint.open(folder);
                GenerationEngine withOther = GenerationEngine.open(other, SETTINGS)) {
            assertThat(withOther.systemFingerprint()).isNotEqualTo(engine.systemFingerprint());
        }
    }

    @Test
    void stopsAtMaxTokens() {
        for (int maxTokens = 1; maxTokens < 7; maxTokens++) {
            GenerationResult result = generate(asked().maxTokens(maxTokens));

            assertThat(result.tokenIds()).hasSize(maxTokens);
            assertThat(result.finishReason()).isEqualTo(FinishReason.LENGTH);
            assertThat(GOLDEN.completion()).startsWith(result.text());
        }
    }

    @Test
    void writesPastTheEndToTheEndOfTheContextIfToldTo() {
        GenerationResult result = generate(asked().ignoreEos(true).maxTokens(10_000));

        assertThat(result.tokenIds()).hasSize(CONTEXT - GOLDEN.promptIds().length);
        assertThat(result.finishReason()).isEqualTo(FinishReason.LENGTH);
    }

    @Test
    void endsBeforeAStopText() {
        GenerationResult result = generate(asked().stop("\":\"card", "never"));

        assertThat(result.text()).isEqualTo("{\"intent");
        assertThat(result.finishReason()).isEqualTo(FinishReason.STOP);
    }

    @Test
    void endsAtAStopTextThatTheEngineAddsToEveryRequest() {
        EngineSettings settings =
                SETTINGS.toBuilder().defaults(asked().stop("\":\"card").build()).build();
        try (GenerationEngine stopping = GenerationEngine.open(checkpoint, settings)) {
            GenerationResult result = stopping.submit(request(asked())).result().join();

            assertThat(result.text()).isEqualTo("{\"intent");
            assertThat(result.tokenIds()).hasSizeLessThan(GOLDEN.completionIds().length);
        }
    }

    @Test
    void whoeverCancelsAResultTakesNothingFromTheEngine() {
        Generation generation = engine.submit(request(asked().ignoreEos(true).maxTokens(50)));

        generation.result().cancel(true);

        assertThat(generation.result()).isCancelled();
        assertThat(generate(asked()).text()).isEqualTo(GOLDEN.completion());
    }

    @Test
    void handsOverTheTextAsItIsWritten() {
        List<TextChunk> chunks = new ArrayList<>();

        GenerationResult result = engine.submit(request(asked()), chunks::add).result().join();

        assertThat(chunks).hasSizeGreaterThan(3);
        assertThat(String.join("", chunks.stream().map(TextChunk::text).toList()))
                .isEqualTo(result.text());
        assertThat(chunks).anyMatch(TextChunk::drafted).anyMatch(chunk -> !chunk.drafted());
    }

    @Test
    void draftsAfterThePromptInThePromptsOwnPass() {
        int tokens = 4;

        GenerationStatistics statistics =
                generate(asked().maxTokens(tokens).numAssistantTokens(tokens)).statistics();

        assertThat(statistics.acceptedTokens()).isEqualTo(tokens - 1);
        assertThat(statistics.rounds()).isZero();
    }

    @Test
    void aRequestsTextDoesNotDependOnItsDraftsNorItsCompany() {
        List<GoldenCase> cases = BundledModel.goldenCases();
        List<Generation> together = new ArrayList<>();
        for (int i = 0; i < cases.size(); i++) {
            Builder asked = i % 7 == 6 ? asked().assistantEarlyExit(3) : asked();
            together.add(
                    engine.submit(
                            new GenerationRequest(
                                    "" + i,
                                    cases.get(i).prompt(),
                                    asked.numAssistantTokens(i % 7).build())));
        }
        for (int i = 0; i < cases.size(); i++) {
            assertThat(together.get(i).result().join().text()).isEqualTo(cases.get(i).completion());
        }
    }

    @Test
    void fiveHundredPromptsGiveTheSameTokensAloneInBatchesAndAsTheyArrive() throws Exception {
        List<GenerationRequest> requests = fiveHundredRequests();
        List<List<Integer>> alone = generateAll(1, requests, 0);
        for (int batch : new int[] {2, 8, 32}) {
            assertThat(generateAll(batch, requests, 0)).as("batches of %d", batch).isEqualTo(alone);
        }
        List<Integer> order = new ArrayList<>(IntStream.range(0, requests.size()).boxed().toList());
        Collections.shuffle(order, new Random(5));
        List<List<Integer>> arrived =
                generateAll(32, order.stream().map(requests::get).toList(), 20);
        assertThat(arrived).isEqualTo(order.stream().map(alone::get).toList());
    }

    /** Golden prompts, and those with words left out; every fifth sampled. */
    private static List<GenerationRequest> fiveHundredRequests() {
        List<GoldenCase> cases = BundledModel.goldenCases();
        List<GenerationRequest> requests = new ArrayList<>();
        for (int i = 0; i < 500; i++) {
            List<String> words =
                    new ArrayList<>(List.of(cases.get(i % cases.size()).prompt().split(" ")));
            for (int left = i / cases.size(); left > 0 && words.size() > 2; left--) {
                words.remove(1 + (i + left) % (words.size() - 2));
            }
            GenerationParameters parameters =
                    GenerationParameters.builder().temperature(i % 5 == 4 ? 1 : 0).build();
            requests.add(new GenerationRequest("" + i, String.join(" ", words), parameters));
        }
        return requests;
    }

    /**
     * The tokens that an engine writes with drafts of its own choosing.
     *
     * @param spread most µs between one request and the next
     */
    private static List<List<Integer>> generateAll(
            int maxBatchSize, List<GenerationRequest> requests, int spread) {
        EngineSettings settings = EngineSettings.builder(1).maxBatchSize(maxBatchSize).build();
        Random random = new Random(3);
        try (GenerationEngine fresh = GenerationEngine.open(checkpoint, settings)) {
            List<Generation> generations = new ArrayList<>();
            for (GenerationRequest request : requests) {
                generations.add(fresh.submit(request));
                if (spread > 0) {
                    LockSupport.parkNanos(random.nextInt(1 + 1000 * spread));
                }
            }
            return generations.stream().map(g -> g.result().join().tokenIds()).toList();
        }
    }

    @Test
    void requestsWaitForMemoryAndNoneFails() {
        long blocks = 6 * KeyValueCacheType.FLOAT32.blockBytes(checkpoint.config());
        EngineSettings scarce = EngineSettings.builder(1).kvCacheBytes(blocks).build();
        List<Generation> generations = new ArrayList<>();
        try (GenerationEngine small = GenerationEngine.open(checkpoint, scarce)) {
            StringBuilder streamed = new StringBuilder();
            for (int i = 0; i < 12; i++) {
                GoldenCase golden = BundledModel.goldenCases().get(i);
                GenerationRequest request =
                        new GenerationRequest(
                                "" + i,
                                golden.prompt(),
                                asked().ignoreEos(true).maxTokens(150).build());
                generations.add(
                        i == 5
                                ? small.submit(request, chunk -> streamed.append(chunk.text()))
                                : small.submit(request));
            }
            for (int i = 0; i < generations.size(); i++) {
                GenerationResult result = generations.get(i).result().join();

                assertThat(result.failure()).isEmpty();
                assertThat(result.tokenIds()).hasSize(150);
                assertThat(result.text())
                        .startsWith(BundledModel.goldenCases().get(i).completion());
            }
            assertThat(streamed.toString()).isEqualTo(generations.get(5).result().join().text());
        }
    }

    @Test
    void aPromptThatTheMemoryCannotHoldIsAFailedRequest() {
        long block = KeyValueCacheType.FLOAT32.blockBytes(checkpoint.config());
        EngineSettings scarce = EngineSettings.builder(1).kvCacheBytes(block).build();
        try (GenerationEngine small = GenerationEngine.open(checkpoint, scarce)) {
            GenerationRequest request =
                    new GenerationRequest("long", "word ".repeat(100), asked().build());

            assertThat(small.submit(request).result().join().failure().orElseThrow().message())
                    .contains(
                            "allowed: at most %d, one less than the memory for keys and values"
                                    .formatted(KeyValueBlock.TOKENS - 1));
        }
    }

    @Test
    void refusesAMemoryThatHoldsNotEvenOneBlock() {
        EngineSettings none = EngineSettings.builder(1).kvCacheBytes(1000).build();

        assertThatThrownBy(() -> GenerationEngine.open(checkpoint, none))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("kv-cache-memory is 1000 bytes; allowed: at least");
    }

    @Test
    void aPromptsBeginningThatIsKnownDoesNotChangeItsText() {
        String instruction = "home: turn on the light in the kitchen and ".repeat(12);
        GenerationRequest request =
                new GenerationRequest("a", instruction + "play a song\n", asked().build());
        GenerationResult unknown = engine.submit(request).result().join();
        GenerationResult known = engine.submit(request).result().join();

        assertThat(unknown.statistics().promptTokens()).isGreaterThan(KeyValueBlock.TOKENS);
        assertThat(known.tokenIds()).isEqualTo(unknown.tokenIds());
        assertThat(known.statistics().cachedPromptTokens())
                .isEqualTo(known.statistics().promptTokens() - 1);
    }

    @Test
    void sampledTextDependsOnTheSeedAlone() {
        Builder sampled = asked().temperature(1.5).ignoreEos(true).maxTokens(30);
        List<Generation> together = new ArrayList<>();
        for (long seed = 0; seed < 8; seed++) {
            together.add(engine.submit(request(sampled.seed(seed))));
        }

        List<String> texts = together.stream().map(g -> g.result().join().text()).toList();

        assertThat(texts).doesNotHaveDuplicates();
        for (int drafts = 0; drafts < 8; drafts++) {
            Builder other = sampled.seed(drafts).numAssistantTokens(drafts);
            assertThat(generate(other).text()).isEqualTo(texts.get(drafts));
        }
        for (int seed = 0; seed < 8; seed++) {
            assertThat(generate(sampled.seed(seed)).text()).isEqualTo(texts.get(seed));
        }
    }

    @Test
    void aRequestWithoutASeedGetsOneFromItsId() {
        GenerationParameters sampled = asked().temperature(1.5).build();

        String first = generate(new GenerationRequest("a", GOLDEN.prompt(), sampled)).text();

        assertThat(generate(new GenerationRequest("a", GOLDEN.prompt(), sampled)).text())
                .isEqualTo(first);
        assertThat(generate(new GenerationRequest("b", GOLDEN.prompt(), sampled)).text())
                .isNotEqualTo(first);
    }

    @Test
    void aLongRequestDoesNotHoldUpAShortOne() {
        Generation slow = engine.submit(request(asked().ignoreEos(true).maxTokens(450)));
        Generation quick = engine.submit(request(asked()));

        quick.result().join();

        assertThat(slow.result()).isNotDone();
        slow.abort(new GenerationFailure(GenerationFailure.Kind.TIMEOUT, "enough"));
        slow.result().join();
    }

    @Test
    void anAbortedRequestCarriesTheFailureAndWhatWasWritten() throws Exception {
        Generation generation = underWay(engine, request(asked().ignoreEos(true).maxTokens(450)));

        generation.abort(LATE);
        GenerationResult result = generation.result().join();

        assertThat(result.finishReason()).isEqualTo(FinishReason.ERROR);
        assertThat(result.failure().orElseThrow().message()).isEqualTo("too late");
        assertThat(result.text()).startsWith("{\"");
    }

    @Test
    void anAbortedRequestFreesItsMemory() throws Exception {
        long context =
                CONTEXT
                        / KeyValueBlock.TOKENS
                        * KeyValueCacheType.FLOAT32.blockBytes(checkpoint.config());
        EngineSettings scarce =
                EngineSettings.builder(1).kvCacheBytes(context).prefixCaching(false).build();
        GenerationRequest all = request(asked().ignoreEos(true).maxTokens(CONTEXT));
        try (GenerationEngine small = GenerationEngine.open(checkpoint, scarce)) {
            Generation late = underWay(small, all);

            late.abort(LATE);
            Generation next = small.submit(all);

            assertThat(late.result().join().failure()).isPresent();
            assertThat(next.result().get(30, TimeUnit.SECONDS).failure()).isEmpty();
        }
    }

    @Test
    void anAbortedRequestThatStillWaitsEndsBeforeThoseAheadOfIt() {
        List<Generation> ahead = new ArrayList<>();
        for (int i = 0; i < SETTINGS.maxBatchSize(); i++) {
            ahead.add(engine.submit(request(asked().ignoreEos(true).maxTokens(450))));
        }
        Generation waiting = engine.submit(request(asked()));

        waiting.abort(LATE);

        assertThat(waiting.result().join().failure()).contains(LATE);
        assertThat(ahead).noneMatch(generation -> generation.result().isDone());
        ahead.forEach(generation -> generation.abort(LATE));
    }

    @Test
    void aPromptThatFillsTheContextIsAFailedRequest() {
        GenerationResult result =
                generate(new GenerationRequest("long", "word ".repeat(1000), asked().build()));

        GenerationFailure failure = result.failure().orElseThrow();
        assertThat(failure.kind()).isEqualTo(GenerationFailure.Kind.PROMPT_TOO_LONG);
        assertThat(failure.message()).contains("allowed: at most 511");
    }

    @Test
    void aPromptThatIsTooLongByItsLengthAloneIsNotTokenised() {
        String megabyte = "word ".repeat(200_000);

        GenerationFailure failure =
                generate(new GenerationRequest("long", megabyte, asked().build()))
                        .failure()
                        .orElseThrow();

        assertThat(failure.kind()).isEqualTo(GenerationFailure.Kind.PROMPT_TOO_LONG);
        assertThat(failure.message())
                .isEqualTo(
                        "the prompt has at least 50000 tokens; allowed: at most 511, one less than"
                                + " the model's context");
    }

    @Test
    void requestsThatCannotBeServedHoldUpNobodyWhoIsUnderWay() throws Exception {
        // Not long enough to be refused untokenised.
        GenerationRequest tooLong =
                new GenerationRequest("long", "a ".repeat(9 * CONTEXT), asked().build());
        Generation generation = underWay(engine, request(asked().ignoreEos(true).maxTokens(200)));
        List<Generation> hopeless = new ArrayList<>();
        for (int i = 0; i < 1_000; i++) {
            hopeless.add(engine.submit(tooLong));
        }

        generation.result().join();

        assertThat(hopeless.get(hopeless.size() - 1).result()).isNotDone();
        for (Generation one : hopeless) {
            assertThat(one.result().join().failure().orElseThrow().kind())
                    .isEqualTo(GenerationFailure.Kind.PROMPT_TOO_LONG);
        }
    }

    @Test
    void aPromptThatLeavesRoomForOneTokenGetsOne() {
        String prompt = " the".repeat(CONTEXT - 2);
        assertThat(checkpoint.tokenizer().encode(prompt)).hasSize(CONTEXT - 1);

        GenerationResult result =
                generate(new GenerationRequest("full", prompt, asked().ignoreEos(true).build()));

        assertThat(result.tokenIds()).hasSize(1);
        assertThat(result.finishReason()).isEqualTo(FinishReason.LENGTH);
    }

    @Test
    void anExitThatIsNotOpenIsAFailedRequest() {
        GenerationFailure failure = generate(asked().assistantEarlyExit(6)).failure().orElseThrow();

        assertThat(failure.kind()).isEqualTo(GenerationFailure.Kind.INVALID_REQUEST);
        assertThat(failure.message())
                .isEqualTo(
                        "assistant_early_exit is 6; allowed: 0 (no draft) or an open exit layer,"
                                + " [2, 3]");
    }

    @Test
    void aRequestChoosesAmongTheOpenExitsOrNone() {
        assertThat(generate(asked().assistantEarlyExit(3)).text()).isEqualTo(GOLDEN.completion());
        GenerationResult plain = generate(asked().assistantEarlyExit(0));
        assertThat(plain.text()).isEqualTo(GOLDEN.completion());
        assertThat(plain.statistics().draftedTokens()).isZero();
    }

    @Test
    void aListenerThatThrowsFailsItsRequestOnly() {
        GenerationResult result =
                engine.submit(
                                request(asked()),
                                chunk -> {
                                    throw new IllegalStateException("told to");
                                })
                        .result()
                        .join();

        assertThat(result.failure().orElseThrow().kind())
                .isEqualTo(GenerationFailure.Kind.INTERNAL_ERROR);
        assertThat(generate(asked()).text()).isEqualTo(GOLDEN.completion());
    }

    @Test
    void writes256TokensWhereNobodySaysHowMany(@TempDir Path folder) throws Exception {
        new CheckpointWriter(1).config("max_position_embeddings", CONTEXT).write(folder);
        GenerationParameters endless = GenerationParameters.builder().ignoreEos(true).build();
        try (Checkpoint base = Checkpoint.open(folder);
                GenerationEngine other =
                        GenerationEngine.open(base, EngineSettings.builder(2).build())) {
            GenerationResult result =
                    other.submit(new GenerationRequest("1", "a", endless)).result().join();

            assertThat(result.tokenIds()).hasSize(256);
            assertThat(result.finishReason()).isEqualTo(FinishReason.LENGTH);
        }
    }

    @ParameterizedTest
    @ValueSource(doubles = {0, 1})
    void aRequestWhoseLogitsAreNoNumbersFailsAlone(double temperature, @TempDir Path folder)
            throws Exception {
        new CheckpointWriter(1).write(folder);
        breakEmbedding(folder, "broken");
        GenerationParameters few =
                GenerationParameters.builder().temperature(temperature).maxTokens(3).build();
        try (Checkpoint damaged = Checkpoint.open(folder);
                GenerationEngine other =
                        GenerationEngine.open(damaged, EngineSettings.builder(2).build())) {
            Generation fails = other.submit(new GenerationRequest("1", "broken", few));
            Generation goesOn = other.submit(new GenerationRequest("2", "whole", few));

            assertThat(fails.result().join().failure().orElseThrow())
                    .isEqualTo(
                            new GenerationFailure(
                                    GenerationFailure.Kind.INTERNAL_ERROR,
                                    "generation failed: the model's logits are no finite numbers"));
            assertThat(goesOn.result().join().failure()).isEmpty();
        }
    }

    /** Makes the embedding of a text's last token start with NaN. */
    private static void breakEmbedding(Path folder, String text) throws Exception {
        try (Checkpoint intact = Checkpoint.open(folder)) {
            int[] tokens = intact.tokenizer().encode(text);
            Weight embedding = intact.weight("model.embed_tokens.weight");
            long row = tokens[tokens.length - 1] * intact.config().hiddenSize();
            try (FileChannel file = FileChannel.open(embedding.file(), StandardOpenOption.WRITE)) {
                ByteBuffer bytes = ByteBuffer.allocate(Float.BYTES);
                bytes.order(ByteOrder.LITTLE_ENDIAN).putFloat(0, Float.NaN);
                file.write(bytes, embedding.offset() + Float.BYTES * row);
            }
        }
    }

    @Test
    void enginesThatShareWeightsWriteTheSameAtTheSameTime() {
        List<GoldenCase> cases = BundledModel.goldenCases().subList(0, 20);
        try (GenerationEngine other = GenerationEngine.open(checkpoint, SETTINGS)) {
            List<Generation> generations = new ArrayList<>();
            for (GoldenCase golden : cases) {
                for (GenerationEngine one : List.of(engine, other)) {
                    generations.add(
                            one.submit(
                                    new GenerationRequest("1", golden.prompt(), asked().build())));
                }
            }
            for (int i = 0; i < generations.size(); i++) {
                assertThat(generations.get(i).result().join().text())
                        .isEqualTo(cases.get(i / 2).completion());
            }
        }
    }

    @Test
    void anEngineThatBreaksLeavesThoseAloneThatShareItsWeights() {
        try (GenerationEngine breaking = GenerationEngine.open(checkpoint, SETTINGS)) {
            Generation breaks =
                    breaking.submit(
                            request(asked()),
                            chunk -> {
                                throw new AssertionError("told to");
                            });

            assertThatThrownBy(() -> breaks.result().join())
                    .hasCauseInstanceOf(EngineFailedException.class);
        }
        assertThat(generate(asked()).text()).isEqualTo(GOLDEN.completion());
    }

    @Test
    void looksForRoomOnlyWhereWeightsAreLoaded() {
        GenerationEngine.open(
                        checkpoint,
                        SETTINGS,
                        BeforeLoading.run(
                                () -> {
                                    throw new AssertionError("these weights are loaded already");
                                }))
                .close();

        assertThatThrownBy(
                        () ->
                                GenerationEngine.open(
                                        checkpoint,
                                        SETTINGS.toBuilder().exitLayers(List.of(7)).build(),
                                        BeforeLoading.run(
                                                () -> {
                                                    throw new EngineFailedException("no room");
                                                })))
                .isInstanceOf(EngineFailedException.class)
                .hasMessage("no room");
    }

    @Test
    void closingEndsWhatRunsAndWaits() {
        List<Generation> generations = new ArrayList<>();
        GenerationEngine closing = GenerationEngine.open(checkpoint, SETTINGS);
        for (int i = 0; i < 10; i++) {
            generations.add(closing.submit(request(asked().ignoreEos(true).maxTokens(450))));
        }

        closing.close();
        closing.close();

        generations.add(closing.submit(request(asked())));
        for (Generation generation : generations) {
            assertThat(generation.result()).isCompletedExceptionally();
            assertThatThrownBy(() -> generation.result().join())
                    .isInstanceOf(CompletionException.class)
                    .hasCauseInstanceOf(EngineFailedException.class)
                    .hasMessageContaining("closed");
        }
    }

    @Test
    void computesEveryPromptWithoutPrefixCaching() {
        try (GenerationEngine forgetful =
                GenerationEngine.open(
                        checkpoint, SETTINGS.toBuilder().prefixCaching(false).build())) {
            for (int i = 0; i < 2; i++) {
                GenerationResult result = forgetful.submit(request(asked())).result().join();

                assertThat(result.statistics().cachedPromptTokens()).isZero();
                assertThat(result.text()).isEqualTo(GOLDEN.completion());
            }
        }
    }

    @Test
    void saysWhyItCannotKeepQuantizedWeights(@TempDir Path folder) throws Exception {
        Path file = Files.createFile(folder.resolve("file"));
        EngineSettings settings =
                SETTINGS.toBuilder().precision(Precision.INT8).cacheFolder(file).build();

        assertThatThrownBy(() -> GenerationEngine.open(checkpoint, settings))
                .isInstanceOf(EngineFailedException.class)
                .hasMessageContaining(file.toString());
    }

    /** A generation that has written some of its text. */
    private static Generation underWay(GenerationEngine engine, GenerationRequest request)
            throws InterruptedException {
        CountDownLatch started = new CountDownLatch(1);
        Generation generation = engine.submit(request, chunk -> started.countDown());
        assertThat(started.await(30, TimeUnit.SECONDS)).isTrue();
        return generation;
    }

    private static Builder asked() {
        return GenerationParameters.builder();
    }

    private static GenerationResult generate(Builder asked) {
        return generate(request(asked));
    }

    private static GenerationResult generate(GenerationRequest request) {
        return engine.submit(request).result().join();
    }

    private static GenerationRequest request(Builder asked) {
        return new GenerationRequest("golden", GOLDEN.prompt(), asked.build());
    }
}
