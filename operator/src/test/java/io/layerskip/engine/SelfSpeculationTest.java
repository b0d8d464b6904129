package io.layerskip.engine;

import static org.assertj.core.api.Assertions.assertThat;

import io.layerskip.model.BundledModel;
import io.layerskip.model.Checkpoint;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.DoubleStream;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.apache.commons.math3.stat.inference.ChiSquareTest;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class SelfSpeculationTest {

    private static final int DRAWS = 20_000;
    private static final int EXIT = 1;

    /** Logits this close may come out in either order where kernels of other shapes round. */
    private static final double ROUNDING = 1e-3;

    private static final int MAX_DRAFT = 8;
    private static final Sampling SAMPLING = new Sampling(1.2, 7, 0.95);

    /**
     * A right sampler fails with this probability; the seeds are fixed, so it does once or never.
     */
    private static final double SIGNIFICANCE = 1e-3;

    private static Checkpoint checkpoint;
    private static LayerSkipModel model;
    private static SelfSpeculation decoding;

    @BeforeAll
    static void open() throws Exception {
        checkpoint = Checkpoint.open(BundledModel.folder());
        model = new LayerSkipModel(checkpoint, List.of(EXIT, 2, 3, 6), 1, MAX_DRAFT + 1);
        decoding = new SelfSpeculation(model, MAX_DRAFT);
    }

    @AfterAll
    static void close() throws Exception {
        model.close();
        checkpoint.close();
    }

    @ParameterizedTest(name = "exit {0}, {1} drafts")
    @MethodSource("exitsAndDrafts")
    void greedyDecodingWritesTheReferencesTokens(int exit, int drafts) throws Exception {
        int forgiven = 0;
        for (BundledModel.GoldenCase golden : BundledModel.goldenCases()) {
            try (Sequence sequence = greedy(golden.promptIds(), exit, drafts)) {
                decoding.prefill(sequence, drafted -> true);
                while (!sequence.ended()) {
                    decoding.round(sequence, drafted -> true);
                }
                if (golden.smallestGap() < ROUNDING
                        && !Arrays.equals(completion(sequence), golden.completionIds())) {
                    forgiven++;
                } else {
                    assertThat(completion(sequence)).isEqualTo(golden.completionIds());
                }
                if (drafts == 0) {
                    assertThat(sequence.drafted()).isZero();
                    assertThat(sequence.rounds()).isEqualTo(sequence.completionLength() - 1);
                }
            }
        }
        System.out.printf(
                "exit %d, %d drafts: %d of %d completions differ within rounding%n",
                exit, drafts, forgiven, BundledModel.goldenCases().size());
    }

    static Stream<Arguments> exitsAndDrafts() {
        return Stream.of(EXIT, 2, 3, 6)
                .flatMap(exit -> Stream.of(0, 3, 5, 8).map(drafts -> Arguments.of(exit, drafts)));
    }

    private static Sequence greedy(int[] prompt, int exit, int drafts) {
        return new Sequence(
                prompt,
                checkpoint.config().defaultMaxNewTokens().orElseThrow(),
                exit,
                drafts,
                Set.copyOf(checkpoint.config().eosTokenIds()),
                new Sampling(0, 0, 1),
                0,
                model.newCache());
    }

    @ParameterizedTest
    @ValueSource(strings = {"home: play some", "concierge: What will the weather be in"})
    void samplingKeepsTheModelsDistribution(String text) throws Exception {
        int[] prompt = checkpoint.tokenizer().encode(text);
        try (KeyValueCache cache = model.newCache()) {
            Map<List<Integer>, Double> expected = nextTwo(prompt, cache, false);
            assertThat(expected.size()).as("pairs to tell apart").isGreaterThan(12);

            Map<List<Integer>, Long> drawn = drawNextTwo(prompt, cache);

            assertThat(pValue(expected, drawn)).isGreaterThan(SIGNIFICANCE);
            // The draft alone would be found out: its distribution is another one.
            assertThat(pValue(nextTwo(prompt, cache, true), drawn)).isLessThan(1e-9);
        }
    }

    /** The exact probabilities of the next two tokens, by the whole model or by the draft. */
    private static Map<List<Integer>, Double> nextTwo(
            int[] prompt, KeyValueCache cache, boolean draft) throws Exception {
        Map<List<Integer>, Double> pairs = new HashMap<>();
        double[] first = probabilities(prompt, cache, draft);
        for (int a = 0; a < first.length; a++) {
            if (first[a] > 0) {
                int[] longer = Arrays.copyOf(prompt, prompt.length + 1);
                longer[prompt.length] = a;
                double[] second = probabilities(longer, cache, draft);
                for (int b = 0; b < second.length; b++) {
                    if (second[b] > 0) {
                        pairs.put(List.of(a, b), first[a] * second[b]);
                    }
                }
            }
        }
        return pairs;
    }

    private static double[] probabilities(int[] tokens, KeyValueCache cache, boolean draft)
            throws Exception {
        int count = tokens.length;
        cache.reserve(count);
        for (int row = 0; row < count; row++) {
            model.embed(tokens[row], row);
        }
        model.forwardEarly(EXIT, cache, 0, 0, count);
        model.forwardRemainder(EXIT, cache, 0, 0, count);
        TokenDistribution distribution = new TokenDistribution(checkpoint.config().vocabSize());
        distribution.set(
                draft ? model.earlyLogits(EXIT, count - 1) : model.finalLogits(count - 1, 1),
                0,
                SAMPLING);
        double[] probabilities = new double[checkpoint.config().vocabSize()];
        for (int token = 0; token < probabilities.length; token++) {
            probabilities[token] = distribution.probability(token);
        }
        return probabilities;
    }

    /** Draws the next two tokens over and over, each time with another seed. */
    private static Map<List<Integer>, Long> drawNextTwo(int[] prompt, KeyValueCache cache)
            throws Exception {
        probabilities(prompt, cache, false);
        Map<List<Integer>, Long> drawn = new HashMap<>();
        for (long seed = 0; seed < DRAWS; seed++) {
            // All but the last prompt token stand in the cache: both tokens come from rounds.
            Sequence sequence =
                    new Sequence(
                            prompt, 4, EXIT, 1 + (int) (seed % 2), Set.of(), SAMPLING, seed, cache);
            sequence.cachedUpTo(prompt.length - 1);
            while (sequence.completionLength() < 2) {
                decoding.round(sequence, drafted -> true);
            }
            drawn.merge(List.of(completion(sequence)[0], completion(sequence)[1]), 1L, Long::sum);
        }
        return drawn;
    }

    /** Probability of a chi-square at least this large, rare pairs taken together. */
    private static double pValue(
            Map<List<Integer>, Double> expected, Map<List<Integer>, Long> drawn) {
        List<List<Integer>> common =
                expected.keySet().stream().filter(pair -> expected.get(pair) * DRAWS >= 5).toList();
        double[] probabilities =
                DoubleStream.concat(
                                common.stream().mapToDouble(expected::get),
                                DoubleStream.of(
                                        1e-9
                                                + expected.entrySet().stream()
                                                        .filter(e -> !common.contains(e.getKey()))
                                                        .mapToDouble(Map.Entry::getValue)
                                                        .sum()))
                        .toArray();
        long[] counts =
                LongStream.concat(
                                common.stream().mapToLong(pair -> drawn.getOrDefault(pair, 0L)),
                                LongStream.of(
                                        drawn.entrySet().stream()
                                                .filter(e -> !common.contains(e.getKey()))
                                                .mapToLong(Map.Entry::getValue)
                                                .sum()))
                        .toArray();
        return new ChiSquareTest().chiSquareTest(probabilities, counts);
    }

    private static int[] completion(Sequence sequence) {
        return Arrays.copyOfRange(sequence.tokens(), sequence.promptLength(), sequence.length());
    }
}
