package io.layerskip.engine;

import static org.assertj.core.api.Assertions.assertThat;

import io.layerskip.engine.GenerationParameters.Builder;
import io.layerskip.forward.Precision;
import io.layerskip.model.BundledModel;
import io.layerskip.model.BundledModel.GoldenCase;
import io.layerskip.model.Checkpoint;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Penalties, biases and cuts that requests ask for, with the bundled model. */
class RequestedLogitsTest {

    private static final List<GoldenCase> PROMPTS = BundledModel.goldenCases().subList(0, 3);
    private static final int EOS = 1;
    private static final EngineSettings SETTINGS =
            EngineSettings.builder(1, 3).maxBatchSize(8).build();

    private static Checkpoint checkpoint;
    private static GenerationEngine engine;
    private static ReferenceGeneration reference;

    @BeforeAll
    static void open() throws Exception {
        checkpoint = Checkpoint.open(BundledModel.folder());
        engine = GenerationEngine.open(checkpoint, SETTINGS);
        reference = new ReferenceGeneration(checkpoint, Precision.FP32);
    }

    @AfterAll
    static void close() {
        reference.close();
        engine.close();
        checkpoint.close();
    }

    static Stream<Named<Builder>> asked() {
        return Stream.of(
                Named.of("presence_penalty 2", greedy().presencePenalty(2)),
                Named.of("presence_penalty -1.5", greedy().presencePenalty(-1.5)),
                Named.of("frequency_penalty 1.5", greedy().frequencyPenalty(1.5)),
                Named.of("frequency_penalty -0.5", greedy().frequencyPenalty(-0.5)),
                Named.of("repetition_penalty 1.5", greedy().repetitionPenalty(1.5)),
                Named.of("repetition_penalty 0.7", greedy().repetitionPenalty(0.7)),
                Named.of("logit_bias", greedy().logitBias(Map.of(262, -100.0, 300, 4.5))),
                Named.of("min_tokens", ending().temperature(0).minTokens(20)),
                Named.of("min_p, sampled", sampled().minP(0.02)),
                Named.of("penalties, sampled", sampled().presencePenalty(1).frequencyPenalty(0.5)),
                Named.of(
                        "everything, sampled",
                        ending().temperature(1.3)
                                .topK(200)
                                .topP(0.95)
                                .seed(11)
                                .minP(0.001)
                                .minTokens(20)
                                .presencePenalty(1)
                                .frequencyPenalty(0.5)
                                .repetitionPenalty(1.3)
                                .logitBias(Map.of(5, 2.0, EOS, 3.0))));
    }

    @ParameterizedTest
    @MethodSource("asked")
    void meanWhatTheirDefinitionsSayWithAndWithoutDrafts(Builder asked) {
        boolean changes = false;
        for (GoldenCase golden : PROMPTS) {
            List<Integer> expected = reference.tokens(golden.prompt(), asked.build());
            for (OptionalInt drafts :
                    List.of(OptionalInt.of(0), OptionalInt.of(4), OptionalInt.empty())) {
                GenerationResult result = generate(golden, withDrafts(asked, drafts));

                assertThat(result.tokenIds()).as("%s drafts", drafts).isEqualTo(expected);
                // How far drafts of no fixed length go depends on what passes take.
                if (drafts.isPresent()) {
                    assertThat(result.statistics().draftedTokens() > 0)
                            .isEqualTo(drafts.getAsInt() > 0);
                }
            }
            changes |= !generate(golden, unchanged(asked)).tokenIds().equals(expected);
        }
        assertThat(changes).as("another text than without the fields").isTrue();
    }

    private static GenerationParameters withDrafts(Builder asked, OptionalInt drafts) {
        GenerationParameters any = asked.build();
        return drafts.isEmpty()
                ? any
                : GenerationParameters.builder()
                        .numAssistantTokens(drafts.getAsInt())
                        .build()
                        .orElse(any);
    }

    /** The same without what changes or cuts logits. */
    private static GenerationParameters unchanged(Builder asked) {
        GenerationParameters all = asked.build();
        Builder unchanged =
                GenerationParameters.builder()
                        .maxTokens(all.maxTokens().orElseThrow())
                        .temperature(all.temperature().orElseThrow())
                        .ignoreEos(all.ignoreEos());
        all.topK().ifPresent(unchanged::topK);
        all.topP().ifPresent(unchanged::topP);
        all.seed().ifPresent(unchanged::seed);
        return unchanged.build();
    }

    @Test
    void areTheRequestsOwnInCompany() {
        List<Generation> together = new ArrayList<>();
        List<List<Integer>> alone = new ArrayList<>();
        for (Builder asked : asked().map(Named::getPayload).toList()) {
            for (GoldenCase golden : PROMPTS) {
                alone.add(generate(golden, asked.build()).tokenIds());
                together.add(engine.submit(request(golden, asked.build())));
            }
        }
        for (GoldenCase golden : BundledModel.goldenCases()) {
            // Those that ask for nothing keep their text beside the others.
            GenerationRequest request = request(golden, GenerationParameters.DEFAULTS);
            together.add(engine.submit(request));
        }
        for (int i = 0; i < alone.size(); i++) {
            assertThat(together.get(i).result().join().tokenIds()).isEqualTo(alone.get(i));
        }
        for (int i = 0; i < BundledModel.goldenCases().size(); i++) {
            assertThat(together.get(alone.size() + i).result().join().text())
                    .isEqualTo(BundledModel.goldenCases().get(i).completion());
        }
    }

    @ParameterizedTest
    @MethodSource("asked")
    void goOnFromAnyToken(Builder asked) {
        GoldenCase golden = PROMPTS.get(0);
        GenerationResult whole = generate(golden, asked.build());
        for (int written = 0; written < whole.tokenIds().size(); written += 5) {
            GenerationProgress progress =
                    new GenerationProgress(
                            whole.tokenIds().subList(0, written), GenerationStatistics.NONE);

            GenerationResult rest =
                    engine.submit(request(golden, asked.build()), progress).result().join();

            assertThat(rest.tokenIds()).isEqualTo(whole.tokenIds());
            assertThat(rest.text()).isEqualTo(whole.text());
        }
    }

    @Test
    void chooseAlikeWithRoundedWeightsWithAndWithoutDrafts() throws Exception {
        EngineSettings rounded = SETTINGS.toBuilder().precision(Precision.INT8).build();
        try (GenerationEngine other = GenerationEngine.open(checkpoint, rounded);
                ReferenceGeneration otherReference =
                        new ReferenceGeneration(checkpoint, Precision.INT8)) {
            Builder asked = greedy().presencePenalty(1.5).repetitionPenalty(1.2);
            for (GoldenCase golden : PROMPTS) {
                List<Integer> expected = otherReference.tokens(golden.prompt(), asked.build());
                for (int drafts : new int[] {0, 4}) {
                    GenerationParameters parameters = withDrafts(asked, OptionalInt.of(drafts));
                    assertThat(other.submit(request(golden, parameters)).result().join().tokenIds())
                            .isEqualTo(expected);
                }
            }
        }
    }

    @Test
    void aBiasOf100LeavesNoOtherChoiceAndOneOfMinus100NoSuchChoice() {
        int token = 300;
        GoldenCase golden = PROMPTS.get(0);

        assertThat(generate(golden, greedy().logitBias(Map.of(token, 100.0)).build()).tokenIds())
                .containsOnly(token);
        for (int banned : golden.completionIds()) {
            assertThat(
                            generate(golden, greedy().logitBias(Map.of(banned, -100.0)).build())
                                    .tokenIds())
                    .doesNotContain(banned);
        }
    }

    @Test
    void nothingEndsBeforeMinTokens() {
        GoldenCase golden = PROMPTS.get(0);
        int natural = golden.completionIds().length;
        for (int least = natural - 1; least < natural + 8; least++) {
            GenerationResult result =
                    generate(
                            golden,
                            GenerationParameters.builder().minTokens(least).maxTokens(64).build());

            assertThat(result.tokenIds().subList(0, least)).doesNotContain(EOS);
            assertThat(result.tokenIds()).hasSizeGreaterThanOrEqualTo(Math.max(natural, least));
        }
    }

    @Test
    void aStopTextEndsACompletionOnlyAfterMinTokens() {
        GoldenCase golden = PROMPTS.get(0);
        Builder asked = GenerationParameters.builder().ignoreEos(true).maxTokens(64);
        List<Integer> unstopped = generate(golden, asked.build()).tokenIds();
        int first = generate(golden, asked.stop("\"").build()).tokenIds().size();

        for (int least = 0; least < 30; least++) {
            int after = least;
            GenerationResult result = generate(golden, asked.minTokens(least).build());

            int expected = firstWithQuoteAfter(unstopped, after);
            assertThat(result.tokenIds()).isEqualTo(unstopped.subList(0, expected));
            assertThat(result.text()).doesNotEndWith("\"");
            for (int written = 0; written < expected; written += 3) {
                GenerationProgress progress =
                        new GenerationProgress(
                                unstopped.subList(0, written), GenerationStatistics.NONE);
                assertThat(
                                engine.submit(request(golden, asked.build()), progress)
                                        .result()
                                        .join()
                                        .text())
                        .isEqualTo(result.text());
            }
        }
        assertThat(first).isLessThan(5);
    }

    /** How many tokens there are up to the first with a quote that is not one of the first few. */
    private static int firstWithQuoteAfter(List<Integer> tokens, int few) {
        for (int i = few; i < tokens.size(); i++) {
            if (checkpoint.tokenizer().decode(new int[] {tokens.get(i)}, 0, 1).contains("\"")) {
                return i + 1;
            }
        }
        return tokens.size();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "2048 | logit_bias has token 2048; allowed: 0 to 2047",
                "-1   | logit_bias has token -1; allowed: 0 to 2047"
            })
    void aBiasForATokenThatTheModelDoesNotHaveIsRefused(int token, String message) {
        assertThat(checkpoint.config().vocabSize()).isEqualTo(2048);
        assertRefused(GenerationParameters.builder().logitBias(Map.of(token, 1.0)), message);
    }

    @Test
    void moreMinTokensThanMaxTokensAreRefused() {
        assertRefused(
                GenerationParameters.builder().minTokens(8).maxTokens(7),
                "min_tokens is 8; allowed: at most max_tokens, which is 7");
        int ofCheckpoint = checkpoint.config().defaultMaxNewTokens().orElseThrow();
        assertRefused(
                GenerationParameters.builder().minTokens(ofCheckpoint + 1),
                "min_tokens is %d; allowed: at most max_tokens, which is %d"
                        .formatted(ofCheckpoint + 1, ofCheckpoint));
    }

    @Test
    void minTokensBeyondTheContextEndWithTheContext() {
        int most = Integer.MAX_VALUE;

        GenerationResult result =
                generate(
                        PROMPTS.get(0),
                        GenerationParameters.builder()
                                .minTokens(most)
                                .maxTokens(most)
                                .stop("\"")
                                .build());

        assertThat(result.finishReason()).isEqualTo(FinishReason.LENGTH);
        assertThat(result.tokenIds()).hasSize(512 - PROMPTS.get(0).promptIds().length);
    }

    @Test
    void penaltiesOfAnySizeLeaveNumbers() {
        for (double penalty : new double[] {Double.MIN_VALUE, Double.MAX_VALUE}) {
            for (double temperature : new double[] {0, 1}) {
                GenerationResult result =
                        generate(
                                PROMPTS.get(0),
                                GenerationParameters.builder()
                                        .repetitionPenalty(penalty)
                                        .presencePenalty(-2)
                                        .temperature(temperature)
                                        .maxTokens(20)
                                        .build());

                assertThat(result.failure()).isEmpty();
            }
        }
    }

    private static void assertRefused(Builder asked, String message) {
        GenerationFailure failure = generate(PROMPTS.get(0), asked.build()).failure().orElseThrow();

        assertThat(failure.kind()).isEqualTo(GenerationFailure.Kind.INVALID_REQUEST);
        assertThat(failure.message()).isEqualTo(message);
    }

    private static Builder greedy() {
        return GenerationParameters.builder().temperature(0).maxTokens(40).ignoreEos(true);
    }

    private static Builder sampled() {
        return GenerationParameters.builder()
                .temperature(1.2)
                .seed(5)
                .maxTokens(40)
                .ignoreEos(true);
    }

    private static Builder ending() {
        return GenerationParameters.builder().maxTokens(40);
    }

    private static GenerationResult generate(GoldenCase golden, GenerationParameters asked) {
        return engine.submit(request(golden, asked)).result().join();
    }

    private static GenerationRequest request(GoldenCase golden, GenerationParameters asked) {
        return new GenerationRequest("1", golden.prompt(), asked);
    }
}
