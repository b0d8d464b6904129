package io.layerskip.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.layerskip.engine.GenerationParameters.Builder;
import io.layerskip.forward.Precision;
import io.layerskip.model.BundledModel;
import io.layerskip.model.BundledModel.GoldenCase;
import io.layerskip.model.Checkpoint;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Log probabilities and confidences, with the bundled model. */
class LogprobsTest {

    /** Kernels of other shapes round differently. */
    private static final double ROUNDING = 1e-3;

    private static final List<GoldenCase> PROMPTS = BundledModel.goldenCases().subList(0, 4);

    private static Checkpoint checkpoint;
    private static GenerationEngine engine;
    private static ReferenceGeneration reference;

    @BeforeAll
    static void open() throws Exception {
        checkpoint = Checkpoint.open(BundledModel.folder());
        engine = GenerationEngine.open(checkpoint, EngineSettings.builder(1).build());
        reference = new ReferenceGeneration(checkpoint, Precision.FP32);
    }

    @AfterAll
    static void close() {
        reference.close();
        engine.close();
        checkpoint.close();
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 5, 20})
    void areTheModelsOwnWithAndWithoutDrafts(int logprobs) {
        // None of these changes what the model holds likely.
        Builder asked =
                asked().logprobs(logprobs).temperature(0.5).topK(40).presencePenalty(1).seed(3);
        for (GoldenCase golden : PROMPTS) {
            for (int drafts : new int[] {0, 4}) {
                GenerationResult result = generate(golden, asked.numAssistantTokens(drafts));

                assertThat(result.logprobs()).hasSameSizeAs(result.tokenIds());
                List<Integer> before = new ArrayList<>();
                Arrays.stream(golden.promptIds()).forEach(before::add);
                for (int i = 0; i < result.tokenIds().size(); i++) {
                    double[] expected = ReferenceGeneration.logprobs(reference.logits(before));
                    TokenLogprobs token = result.logprobs().get(i);
                    assertThat(token.chosen().tokenId()).isEqualTo(result.tokenIds().get(i));
                    assertThat(token.chosen().logprob())
                            .isCloseTo(expected[token.chosen().tokenId()], within(ROUNDING));
                    assertAreTheLikeliest(token.top(), expected, logprobs);
                    before.add(token.chosen().tokenId());
                }
            }
        }
    }

    private static void assertAreTheLikeliest(
            List<TokenLogprob> top, double[] expected, int count) {
        assertThat(top).hasSize(count);
        List<Integer> byLogprob =
                IntStream.range(0, expected.length)
                        .boxed()
                        .sorted(Comparator.comparing(token -> -expected[token]))
                        .limit(count)
                        .toList();
        for (int i = 0; i < count; i++) {
            TokenLogprob likely = top.get(i);
            assertThat(likely.logprob()).isCloseTo(expected[likely.tokenId()], within(ROUNDING));
            assertThat(likely.logprob()).isCloseTo(expected[byLogprob.get(i)], within(ROUNDING));
            if (i > 0) {
                assertThat(likely.logprob()).isLessThanOrEqualTo(top.get(i - 1).logprob());
            }
        }
        assertThat(top).extracting(TokenLogprob::tokenId).doesNotHaveDuplicates();
    }

    @Test
    void changeNothingOfTheText() {
        for (GoldenCase golden : PROMPTS) {
            assertThat(generate(golden, asked().logprobs(3)).text()).isEqualTo(golden.completion());
            assertThat(generate(golden, asked()).logprobs()).isEmpty();
        }
    }

    @Test
    void areTheSameBitsWithRoundedWeightsWithAndWithoutDraftsAndInCompany() {
        EngineSettings rounded = EngineSettings.builder(1).precision(Precision.INT8).build();
        try (GenerationEngine other = GenerationEngine.open(checkpoint, rounded)) {
            Builder asked = asked().logprobs(4);
            List<Generation> drafting = new ArrayList<>();
            for (GoldenCase golden : PROMPTS) {
                drafting.add(other.submit(request(golden, asked)));
            }
            for (int i = 0; i < PROMPTS.size(); i++) {
                GenerationResult plain =
                        other.submit(
                                        request(
                                                PROMPTS.get(i),
                                                asked().logprobs(4).numAssistantTokens(0)))
                                .result()
                                .join();
                assertThat(drafting.get(i).result().join().logprobs()).isEqualTo(plain.logprobs());
            }
        }
    }

    @Test
    void comeWithTextsThatMakeUpTheCompletion() {
        for (GoldenCase golden : PROMPTS) {
            GenerationResult result = generate(golden, asked().logprobs(20));

            assertThat(
                            String.join(
                                    "",
                                    result.logprobs().stream()
                                            .map(t -> t.chosen().text())
                                            .toList()))
                    .isEqualTo(golden.completion());
            for (TokenLogprobs token : result.logprobs()) {
                // What is chosen is called the same among the likeliest.
                assertThat(token.top()).contains(token.chosen());
            }
        }
    }

    @Test
    void aCharactersTextComesWithItsLastByte() {
        String emoji = "\ud83d\ude80";
        int[] bytes = checkpoint.tokenizer().encode(emoji);
        Builder asked = asked().logprobs(1).ignoreEos(true).maxTokens(1);
        String prompt = "home: " + emoji;
        int[] ids = checkpoint.tokenizer().encode(prompt);
        assertThat(bytes.length).as("tokens of the character").isGreaterThan(2);
        List<String> texts = new ArrayList<>();

        CompletionText text =
                new CompletionText(checkpoint.tokenizer(), List.of(), Arrays.copyOf(ids, 1));
        CompletionLogprobs logprobs = new CompletionLogprobs(text, true);
        for (int length = 2; length <= ids.length; length++) {
            logprobs.add(
                    new LogProbabilities.Noted(-1, new int[] {ids[length - 1]}, new double[] {-1}),
                    ids,
                    length);
        }
        for (TokenLogprobs token : logprobs.toList()) {
            texts.add(token.chosen().text());
            assertThat(token.top()).containsExactly(token.chosen());
        }

        assertThat(String.join("", texts)).isEqualTo(prompt);
        assertThat(texts).contains("");
        assertThat(texts.get(texts.size() - 1)).isEqualTo(emoji);
        assertThat(generate(PROMPTS.get(0), asked).logprobs()).hasSize(1);
    }

    @Test
    void goOnFromAnyToken() {
        Builder asked =
                asked().logprobs(2)
                        .returnConfidence(true)
                        .numAssistantTokens(0)
                        .frequencyPenalty(0.5)
                        .ignoreEos(true)
                        .maxTokens(20);
        GenerationResult whole = generate(PROMPTS.get(0), asked);
        for (int written = 0; written < 20; written++) {
            GenerationProgress progress =
                    new GenerationProgress(
                            whole.tokenIds().subList(0, written),
                            GenerationStatistics.NONE,
                            whole.logprobs().subList(0, written),
                            List.of());

            GenerationResult rest =
                    engine.submit(request(PROMPTS.get(0), asked), progress).result().join();

            assertThat(rest.tokenIds()).isEqualTo(whole.tokenIds());
            assertThat(rest.logprobs().subList(0, written))
                    .isEqualTo(whole.logprobs().subList(0, written));
            assertThat(rest.logprobs()).hasSize(20);
            for (int i = written; i < 20; i++) {
                TokenLogprob expected = whole.logprobs().get(i).chosen();
                TokenLogprob chosen = rest.logprobs().get(i).chosen();
                assertThat(chosen.text()).isEqualTo(expected.text());
                assertThat(chosen.logprob()).isCloseTo(expected.logprob(), within(ROUNDING));
            }
            assertThat(rest.confidence().orElseThrow().meanProbability())
                    .isCloseTo(
                            whole.confidence().orElseThrow().meanProbability(), within(ROUNDING));
        }
    }

    @Test
    void startOverWhereTheProgressHasNone() {
        Builder asked = asked().logprobs(2);
        GenerationResult whole = generate(PROMPTS.get(0), asked);
        GenerationProgress without =
                new GenerationProgress(whole.tokenIds().subList(0, 5), GenerationStatistics.NONE);

        GenerationResult again =
                engine.submit(request(PROMPTS.get(0), asked), without).result().join();

        assertThat(again.tokenIds()).isEqualTo(whole.tokenIds());
        assertThat(again.logprobs()).hasSameSizeAs(whole.tokenIds());
    }

    @Test
    void progressHasThoseOfItsTokens() throws Exception {
        Generation generation =
                engine.submit(
                        request(
                                PROMPTS.get(0),
                                asked().logprobs(1).ignoreEos(true).maxTokens(300)));
        GenerationProgress progress = generation.progress();
        while (progress.tokenIds().isEmpty()) {
            Thread.onSpinWait();
            progress = generation.progress();
        }

        assertThat(progress.logprobs())
                .extracting(t -> t.chosen().tokenId())
                .isEqualTo(progress.tokenIds());
        assertThat(generation.result().join().logprobs())
                .startsWith(progress.logprobs().toArray(TokenLogprobs[]::new));
    }

    @Test
    void confidenceIsTheMeanAndTheLeastOfTheProbabilities() {
        for (GoldenCase golden : PROMPTS) {
            GenerationResult result =
                    generate(golden, asked().temperature(1).returnConfidence(true));

            double product = 1;
            double least = 1;
            List<Integer> before = new ArrayList<>();
            Arrays.stream(golden.promptIds()).forEach(before::add);
            for (int token : result.tokenIds()) {
                double probability =
                        Math.exp(ReferenceGeneration.logprobs(reference.logits(before))[token]);
                product *= probability;
                least = Math.min(least, probability);
                before.add(token);
            }
            Confidence confidence = result.confidence().orElseThrow();
            assertThat(confidence.meanProbability())
                    .isCloseTo(Math.pow(product, 1.0 / result.tokenIds().size()), within(ROUNDING));
            assertThat(confidence.leastProbability()).isCloseTo(least, within(ROUNDING));
            assertThat(result.logprobs()).isEmpty();
        }
        assertThat(generate(PROMPTS.get(0), asked()).confidence()).isEmpty();
    }

    @Test
    void anEchoBeginsTheTextWithThePrompt() {
        GoldenCase golden = PROMPTS.get(0);

        assertThat(generate(golden, asked().echo(true)).text())
                .isEqualTo(golden.prompt() + golden.completion());
    }

    @Test
    void aFailureHasNoEcho() {
        GoldenCase golden = PROMPTS.get(0);
        Generation generation =
                engine.submit(request(golden, asked().echo(true).logprobs(0).maxTokens(1)));

        GenerationFailure failure = generation.result().join().failure().orElseThrow();

        assertThat(failure.kind()).isEqualTo(GenerationFailure.Kind.INVALID_REQUEST);
        assertThat(failure.message())
                .isEqualTo(
                        "echo is true, and logprobs is 0; allowed: only one of the two, as the"
                                + " prompt's log probabilities are not served");
        assertThat(generation.result().join().text()).isEmpty();
    }

    private static Builder asked() {
        return GenerationParameters.builder();
    }

    private static GenerationResult generate(GoldenCase golden, Builder asked) {
        return engine.submit(request(golden, asked)).result().join();
    }

    private static GenerationRequest request(GoldenCase golden, Builder asked) {
        return new GenerationRequest("1", golden.prompt(), asked.build());
    }
}
