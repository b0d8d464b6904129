package io.layerskip.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.layerskip.engine.GenerationParameters.Builder;
import io.layerskip.forward.KeyValueBlock;
import io.layerskip.forward.KeyValueCacheType;
import io.layerskip.model.BundledModel;
import io.layerskip.model.Checkpoint;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Requests for several completions, with the bundled model. */
class ChoicesTest {

    private static final long SEED = 17;
    private static final String PROMPT = "banking: Where is my card?\n";

    /** Some blocks and a part of one. */
    private static final String LONG_PROMPT =
            "home: turn on the light in the kitchen and ".repeat(12) + "play a song\n";

    private static final GenerationFailure LATE =
            new GenerationFailure(GenerationFailure.Kind.TIMEOUT, "too late");

    private static Checkpoint checkpoint;
    private static GenerationEngine engine;

    @BeforeAll
    static void open() throws Exception {
        checkpoint = Checkpoint.open(BundledModel.folder());
        engine = GenerationEngine.open(checkpoint, settings().build());
    }

    @AfterAll
    static void close() {
        engine.close();
        checkpoint.close();
    }

    private static EngineSettings.Builder settings() {
        return EngineSettings.builder(1).prefixCaching(false);
    }

    @ParameterizedTest
    @ValueSource(strings = {PROMPT, "a"})
    void eachIsTheTextOfASingleRequestWithItsSeed(String prompt) {
        for (int drafts : new int[] {0, 4}) {
            Builder asked = sampled().numAssistantTokens(drafts).logprobs(2).returnConfidence(true);
            GenerationResult result = generate(engine, prompt, asked.n(5));

            List<Choice> choices = result.choices();
            assertThat(choices).hasSize(5);
            assertThat(choices.stream().map(Choice::text)).doesNotHaveDuplicates();
            for (int i = 0; i < 5; i++) {
                GenerationResult single =
                        generate(
                                engine,
                                prompt,
                                asked.n(1).seed(GenerationParameters.seedOf(SEED, i)));
                assertThat(choices.get(i).text()).isEqualTo(single.text());
                assertThat(choices.get(i).tokenIds()).isEqualTo(single.tokenIds());
                assertThat(choices.get(i).finishReason()).isEqualTo(single.finishReason());
                assertThat(choices.get(i).logprobs()).hasSameSizeAs(single.tokenIds());
                assertThat(choices.get(i).confidence()).isPresent();
            }
        }
    }

    @Test
    void theFirstIsTheTextOfARequestForOne() {
        GenerationResult one = generate(engine, PROMPT, sampled());
        GenerationResult several = generate(engine, PROMPT, sampled().n(3));

        assertThat(several.text()).isEqualTo(one.text());
        assertThat(several.choices().get(0).text()).isEqualTo(one.text());
        assertThat(one.choices()).hasSize(1);
        assertThat(one.moreChoices()).isEmpty();
    }

    @Test
    void greedyOnesAreAllAlike() {
        GenerationResult result = generate(engine, PROMPT, GenerationParameters.builder().n(3));

        assertThat(result.choices()).hasSize(3).containsOnly(result.choices().get(0));
    }

    @Test
    void countWhatAllOfThemTook() {
        GenerationResult result = generate(engine, PROMPT, sampled().n(4));

        GenerationStatistics took = result.statistics();
        assertThat(took.promptTokens()).isEqualTo(checkpoint.tokenizer().encode(PROMPT).length);
        assertThat(took.cachedPromptTokens()).isZero();
        assertThat(took.completionTokens())
                .isEqualTo(result.choices().stream().mapToInt(c -> c.tokenIds().size()).sum());
        assertThat(took.draftedTokens()).isGreaterThanOrEqualTo(took.acceptedTokens());
    }

    @Test
    void shareThePromptsBlocks() throws Exception {
        int n = 6;
        int prompt = checkpoint.tokenizer().encode(LONG_PROMPT).length;
        int shared = (prompt - 1) / KeyValueBlock.TOKENS;
        assertThat(shared).isGreaterThan(2);
        try (GenerationEngine fresh = GenerationEngine.open(checkpoint, settings().build())) {
            Generation generation =
                    fresh.submit(request(LONG_PROMPT, sampled().maxTokens(150).n(n)));
            while (fresh.status().running() < n) {
                Thread.onSpinWait();
            }
            EngineStatus status = fresh.status();

            // Each has what it writes, and the prompt's end, to itself.
            int written = blocks(prompt + written(generation)) - shared;
            assertThat(status.keyValueBlocksUsed()).isLessThanOrEqualTo(shared + n * written);
            assertThat(status.keyValueBlocksUsed()).isGreaterThanOrEqualTo(shared + n);
            generation.abort(LATE);
            generation.result().join();
        }
    }

    @Test
    void computeThePromptOnceButForItsLastToken() {
        int n = 6;
        int tokens = 10;
        int prompt = checkpoint.tokenizer().encode(LONG_PROMPT).length;
        try (GenerationEngine fresh = GenerationEngine.open(checkpoint, settings().build())) {
            generate(fresh, LONG_PROMPT, sampled().numAssistantTokens(0).maxTokens(tokens).n(n));
            while (fresh.status().running() > 0) {
                Thread.onSpinWait();
            }

            assertThat(fresh.status().rows()).isEqualTo(prompt + n - 1 + n * (tokens - 1));
        }
    }

    /** Most tokens that one of the completions can have by now, drafts included. */
    private static int written(Generation generation) {
        GenerationProgress progress = generation.progress();
        int most = progress.tokenIds().size();
        for (GenerationProgress choice : progress.moreChoices()) {
            most = Math.max(most, choice.tokenIds().size());
        }
        return most + GenerationParameters.MAX_ASSISTANT_TOKENS;
    }

    private static int blocks(int tokens) {
        return (tokens + KeyValueBlock.TOKENS - 1) / KeyValueBlock.TOKENS;
    }

    @Test
    void giveAllMemoryBack() throws Exception {
        try (GenerationEngine fresh = GenerationEngine.open(checkpoint, settings().build())) {
            generate(fresh, LONG_PROMPT, sampled().n(8));
            Generation aborted = fresh.submit(request(LONG_PROMPT, sampled().n(8).maxTokens(200)));
            while (fresh.status().running() < 2) {
                Thread.onSpinWait();
            }
            aborted.abort(LATE);
            assertThat(aborted.result().join().failure()).contains(LATE);

            while (fresh.status().running() + fresh.status().waiting() > 0) {
                Thread.onSpinWait();
            }
            generate(fresh, PROMPT, sampled().maxTokens(1));
            while (fresh.status().running() > 0) {
                Thread.onSpinWait();
            }
            assertThat(fresh.status().keyValueBlocksUsed()).isZero();
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 32})
    void areCompleteWhereFewFitIntoABatchOrIntoTheMemory(int maxBatchSize) {
        List<Choice> expected = generate(engine, LONG_PROMPT, sampled().n(5)).choices();
        long blocks = 8 * KeyValueCacheType.FLOAT32.blockBytes(checkpoint.config());
        EngineSettings scarce = settings().maxBatchSize(maxBatchSize).kvCacheBytes(blocks).build();
        try (GenerationEngine small = GenerationEngine.open(checkpoint, scarce)) {
            List<Generation> generations = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                generations.add(small.submit(request(LONG_PROMPT, sampled().n(5))));
                generations.add(small.submit(request(PROMPT, GenerationParameters.builder())));
            }
            for (int i = 0; i < 6; i += 2) {
                GenerationResult result = generations.get(i).result().join();

                assertThat(result.choices())
                        .extracting(Choice::tokenIds)
                        .isEqualTo(expected.stream().map(Choice::tokenIds).toList());
                assertThat(generations.get(i + 1).result().join().failure()).isEmpty();
            }
        }
    }

    @Test
    void ofOneTokenEach() {
        List<Choice> choices =
                generate(engine, PROMPT, sampled().temperature(5).maxTokens(1).n(32)).choices();

        assertThat(choices).hasSize(32).allMatch(choice -> choice.tokenIds().size() == 1);
        assertThat(choices.stream().map(Choice::text).distinct()).hasSizeGreaterThan(5);
    }

    @Test
    void eachIsAnEcho() {
        assertThat(generate(engine, PROMPT, sampled().n(2).echo(true)).choices())
                .allMatch(choice -> choice.text().startsWith(PROMPT));
    }

    @Test
    void shareTheEnginesDefaultNumber() {
        EngineSettings two =
                settings().defaults(GenerationParameters.builder().n(2).build()).build();
        try (GenerationEngine other = GenerationEngine.open(checkpoint, two)) {
            assertThat(generate(other, PROMPT, sampled()).choices()).hasSize(2);
        }
    }

    @Test
    void goOnFromWhereEachOfThemWas() {
        GenerationParameters asked = sampled().n(3).maxTokens(30).logprobs(1).build();
        GenerationRequest request = new GenerationRequest("1", LONG_PROMPT, asked);
        List<Choice> whole = engine.submit(request).result().join().choices();
        for (int[] written : new int[][] {{0, 0, 0}, {9, 3, 20}, {1, 0, 29}, {29, 29, 29}}) {
            List<GenerationProgress> each = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                each.add(
                        new GenerationProgress(
                                whole.get(i).tokenIds().subList(0, written[i]),
                                GenerationStatistics.NONE,
                                whole.get(i).logprobs().subList(0, written[i]),
                                List.of()));
            }
            GenerationProgress progress =
                    new GenerationProgress(
                            each.get(0).tokenIds(),
                            GenerationStatistics.NONE,
                            each.get(0).logprobs(),
                            each.subList(1, written[1] == 0 && written[0] == 0 ? 1 : 3));

            GenerationResult rest = engine.submit(request, progress).result().join();

            assertThat(rest.choices())
                    .extracting(Choice::text)
                    .isEqualTo(whole.stream().map(Choice::text).toList());
            assertThat(rest.choices()).allMatch(c -> c.logprobs().size() == c.tokenIds().size());
        }
    }

    @Test
    void progressCanBeGoneOnFromAtAnyTime() {
        GenerationRequest request =
                new GenerationRequest(
                        "1", PROMPT, sampled().n(4).ignoreEos(false).maxTokens(60).build());
        List<String> whole = texts(engine.submit(request).result().join());
        Generation generation = engine.submit(request);
        List<GenerationProgress> seen = new ArrayList<>();
        while (!generation.result().isDone()) {
            GenerationProgress progress = generation.progress();
            if (seen.isEmpty() || !progress.equals(seen.get(seen.size() - 1))) {
                seen.add(progress);
            }
        }
        seen.add(generation.progress());

        for (GenerationProgress progress : seen) {
            assertThat(texts(engine.submit(request, progress).result().join())).isEqualTo(whole);
        }
    }

    private static List<String> texts(GenerationResult result) {
        return result.choices().stream().map(Choice::text).toList();
    }

    @Test
    void refuseTokensThatTheModelDoesNotHave() {
        GenerationProgress foreign =
                new GenerationProgress(List.of(9_999), GenerationStatistics.NONE);
        GenerationProgress progress =
                new GenerationProgress(
                        List.of(), GenerationStatistics.NONE, List.of(), List.of(foreign));

        assertThatThrownBy(() -> engine.submit(request(PROMPT, sampled().n(2)), progress))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("goes on after token 9999");
    }

    @Test
    void handOverTheTextOfTheFirst() {
        StringBuilder streamed = new StringBuilder();

        GenerationResult result =
                engine.submit(
                                request(PROMPT, sampled().n(3)),
                                chunk -> streamed.append(chunk.text()))
                        .result()
                        .join();

        assertThat(streamed.toString()).isEqualTo(result.text());
    }

    @Test
    void failTogetherWhereTheRequestCannotBeServed() {
        GenerationResult result =
                generate(engine, "word ".repeat(1000), GenerationParameters.builder().n(3));

        assertThat(result.failure().orElseThrow().kind())
                .isEqualTo(GenerationFailure.Kind.PROMPT_TOO_LONG);
        assertThatThrownBy(result::choices)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("request 1 failed");
    }

    @Test
    void failTogetherWhereOneOfThemIsAborted() throws Exception {
        CountDownLatch begun = new CountDownLatch(1);
        Generation generation =
                engine.submit(
                        request(PROMPT, sampled().n(4).maxTokens(400)), chunk -> begun.countDown());
        assertThat(begun.await(30, TimeUnit.SECONDS)).isTrue();

        generation.abort(LATE);

        GenerationResult result = generation.result().get(30, TimeUnit.SECONDS);
        assertThat(result.failure()).contains(LATE);
        assertThat(result.text()).isNotEmpty();
    }

    @Test
    void failTogetherWhereOneOfThemBreaks() {
        GenerationResult result =
                engine.submit(
                                request(PROMPT, sampled().n(4)),
                                chunk -> {
                                    throw new IllegalStateException("told to");
                                })
                        .result()
                        .join();

        assertThat(result.failure().orElseThrow().kind())
                .isEqualTo(GenerationFailure.Kind.INTERNAL_ERROR);
        assertThat(generate(engine, PROMPT, sampled().n(4)).choices()).hasSize(4);
    }

    @Test
    void endWithTheEngine() {
        GenerationEngine closing = GenerationEngine.open(checkpoint, settings().build());
        Generation generation = closing.submit(request(PROMPT, sampled().n(4).maxTokens(400)));

        closing.close();

        assertThatThrownBy(() -> generation.result().join())
                .hasCauseInstanceOf(EngineFailedException.class);
    }

    private static Builder sampled() {
        return GenerationParameters.builder()
                .temperature(1.5)
                .seed(SEED)
                .ignoreEos(true)
                .maxTokens(40);
    }

    private static GenerationResult generate(
            GenerationEngine engine, String prompt, Builder asked) {
        return engine.submit(request(prompt, asked)).result().join();
    }

    private static GenerationRequest request(String prompt, Builder asked) {
        return new GenerationRequest("1", prompt, asked.build());
    }
}
