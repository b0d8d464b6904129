package io.layerskip.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.layerskip.engine.GenerationParameters.Builder;
import io.layerskip.model.BundledModel;
import io.layerskip.model.BundledModel.GoldenCase;
import io.layerskip.model.Checkpoint;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class GenerationEngineTest {

    private static final int CONTEXT = 512;
    private static final EngineSettings SETTINGS =
            new EngineSettings(List.of(2, 3), 5, OptionalInt.empty(), 0, 0, 1, 1, 4);
    private static final GoldenCase GOLDEN = BundledModel.goldenCases().get(0);

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
        assertThat(drafting.timeToFirstTokenNanos()).isPositive().isLessThan(drafting.totalNanos());
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
    void writesOnBehindTheEndToTheEndOfTheContextIfToldTo() {
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
    void handsOverTheTextAsItIsWritten() {
        List<TextChunk> chunks = new ArrayList<>();

        GenerationResult result = engine.submit(request(asked()), chunks::add).result().join();

        assertThat(chunks).hasSizeGreaterThan(3);
        assertThat(String.join("", chunks.stream().map(TextChunk::text).toList()))
                .isEqualTo(result.text());
        assertThat(chunks.get(0).drafted()).isFalse();
        assertThat(chunks).anyMatch(TextChunk::drafted);
    }

    @Test
    void aRequestsTextDoesNotDependOnItsCompany() {
        List<GoldenCase> cases = BundledModel.goldenCases();
        List<Generation> together = new ArrayList<>();
        for (int i = 0; i < cases.size(); i++) {
            together.add(
                    engine.submit(
                            new GenerationRequest(
                                    "" + i,
                                    cases.get(i).prompt(),
                                    asked().numAssistantTokens(i % 7).build())));
        }
        for (int i = 0; i < cases.size(); i++) {
            assertThat(together.get(i).result().join().text()).isEqualTo(cases.get(i).completion());
        }
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
        CountDownLatch started = new CountDownLatch(1);
        Generation generation =
                engine.submit(
                        request(asked().ignoreEos(true).maxTokens(450)),
                        chunk -> started.countDown());
        assertThat(started.await(30, TimeUnit.SECONDS)).isTrue();

        generation.abort(new GenerationFailure(GenerationFailure.Kind.TIMEOUT, "too late"));
        GenerationResult result = generation.result().join();

        assertThat(result.finishReason()).isEqualTo(FinishReason.ERROR);
        assertThat(result.failure().orElseThrow().message()).isEqualTo("too late");
        assertThat(result.text()).startsWith("{\"");
    }

    @Test
    void anAbortedRequestThatStillWaitsEndsBeforeThoseAheadOfIt() {
        List<Generation> ahead = new ArrayList<>();
        for (int i = 0; i < SETTINGS.maxActiveRequests(); i++) {
            ahead.add(engine.submit(request(asked().ignoreEos(true).maxTokens(450))));
        }
        Generation waiting = engine.submit(request(asked()));
        GenerationFailure late = new GenerationFailure(GenerationFailure.Kind.TIMEOUT, "too late");

        waiting.abort(late);

        assertThat(waiting.result().join().failure()).contains(late);
        assertThat(ahead).noneMatch(generation -> generation.result().isDone());
        ahead.forEach(generation -> generation.abort(late));
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
