package io.layerskip.engine;

import static org.assertj.core.api.Assertions.assertThat;

import io.layerskip.forward.KeyValueCache;
import io.layerskip.forward.KeyValueCacheType;
import io.layerskip.forward.KeyValueMemory;
import io.layerskip.forward.LayerSkipModel;
import io.layerskip.forward.Precision;
import io.layerskip.forward.PrefixCache;
import io.layerskip.forward.RaggedBatch;
import io.layerskip.model.BundledModel;
import io.layerskip.model.Checkpoint;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.stream.DoubleStream;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.apache.commons.math3.stat.inference.ChiSquareTest;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class SelfSpeculationTest {

    private static final int DRAWS = 10_000;
    private static final int EXIT = 1;

    /** Logits this close may come out in either order where kernels of other shapes round. */
    private static final double ROUNDING = 1e-3;

    /** Sequences that share passes where a test needs many. */
    private static final int BATCH = 40;

    private static final Sampling SAMPLING = new Sampling(1.2, 7, 0.95);

    /**
     * A right sampler fails with this probability; the seeds are fixed, so it does once or never.
     */
    private static final double SIGNIFICANCE = 1e-3;

    private static Checkpoint checkpoint;
    private static LayerSkipModel model;
    private static KeyValueMemory memory;
    private static DraftPolicy policy;
    private static SelfSpeculation decoding;

    @BeforeAll
    static void open() throws Exception {
        checkpoint = Checkpoint.open(BundledModel.folder());
        model =
                new LayerSkipModel(
                        checkpoint, List.of(EXIT, 2, 3, 6), Precision.FP32, Optional.empty(), 1);
        memory = new KeyValueMemory(checkpoint.config(), KeyValueCacheType.FLOAT32, 1L << 28);
        try (KeyValueCache cache = new KeyValueCache(memory)) {
            policy = new DraftPolicy(PassCosts.measure(model, cache), BATCH);
        }
        decoding = new SelfSpeculation(model, policy);
    }

    @AfterAll
    static void close() throws Exception {
        model.close();
        checkpoint.close();
    }

    @ParameterizedTest(name = "exit {0}, {1} drafts")
    @MethodSource("exitsAndDrafts")
    void greedyDecodingWritesTheReferencesTokens(int exit, int drafts) throws Exception {
        List<BundledModel.GoldenCase> cases = BundledModel.goldenCases();
        int forgiven = 0;
        for (int from = 0; from < cases.size(); from += BATCH) {
            List<BundledModel.GoldenCase> some =
                    cases.subList(from, Math.min(cases.size(), from + BATCH));
            List<Sequence> batch =
                    some.stream().map(golden -> greedy(golden.promptIds(), exit, drafts)).toList();
            decode(batch, drafts);
            for (int i = 0; i < some.size(); i++) {
                int[] completion = completion(batch.get(i));
                if (some.get(i).smallestGap() < ROUNDING
                        && !Arrays.equals(completion, some.get(i).completionIds())) {
                    forgiven++;
                } else {
                    assertThat(completion).isEqualTo(some.get(i).completionIds());
                }
                batch.get(i).close();
            }
        }
        System.out.printf(
                "exit %d, %d drafts: %d of %d completions differ within rounding%n",
                exit, drafts, forgiven, cases.size());
    }

    static Stream<Arguments> exitsAndDrafts() {
        return Stream.of(EXIT, 2, 3, 6)
                .flatMap(exit -> Stream.of(0, 3, 5, 8).map(drafts -> Arguments.of(exit, drafts)));
    }

    @Test
    void draftsAreCountedByWhatBecameOfThem() throws Exception {
        int drafted = 0;
        int accepted = 0;
        for (BundledModel.GoldenCase golden : someGoldenCases()) {
            try (Sequence plain = greedy(golden.promptIds(), EXIT, 0);
                    Sequence drafting = greedy(golden.promptIds(), EXIT, 5)) {
                decode(List.of(plain), 0);
                decode(List.of(drafting), 5);

                assertThat(statistics(plain).draftedTokens()).isZero();
                assertThat(statistics(plain).rounds()).isEqualTo(plain.completionLength() - 1);
                // Each round writes what was accepted and a token of the model's own, but that the
                // last may end with a draft.
                GenerationStatistics took = statistics(drafting);
                assertThat(took.completionTokens() - 1 - took.acceptedTokens())
                        .isBetween(took.rounds() - 1, took.rounds());
                drafted += took.draftedTokens();
                accepted += took.acceptedTokens();
            }
        }
        assertThat(accepted).isBetween(1, drafted - 1);
    }

    @Test
    void aDraftEndsWhereTheExitIsNotSureEnough() throws Exception {
        int[] drafted = new int[3];
        for (BundledModel.GoldenCase golden : someGoldenCases()) {
            for (int i = 0; i < drafted.length; i++) {
                try (Sequence sequence = greedy(golden.promptIds(), EXIT, 5, i * 0.5)) {
                    decode(List.of(sequence), 5);
                    assertThat(completion(sequence)).isEqualTo(golden.completionIds());
                    drafted[i] += statistics(sequence).draftedTokens();
                }
            }
        }
        assertThat(drafted[1]).isBetween(1, drafted[0] - 1);
        assertThat(drafted[2]).isZero();
    }

    private static List<BundledModel.GoldenCase> someGoldenCases() throws IOException {
        return BundledModel.goldenCases().subList(0, 20);
    }

    private static Sequence greedy(int[] prompt, int exit, int drafts) {
        return greedy(prompt, exit, drafts, 0);
    }

    private static Sequence greedy(int[] prompt, int exit, int drafts, double threshold) {
        return new Sequence(
                prompt,
                checkpoint.config().defaultMaxNewTokens().orElseThrow(),
                new Sequence.Drafting(OptionalInt.of(exit), OptionalInt.of(drafts), threshold),
                Set.copyOf(checkpoint.config().eosTokenIds()),
                new Sampling(0, 0, 1),
                0,
                new KeyValueCache(memory));
    }

    private static GenerationStatistics statistics(Sequence sequence) {
        return sequence.statistics(0, 0, 0);
    }

    /** Decodes sequences together, each to its end. */
    private static void decode(List<Sequence> sequences, int mostDrafts) {
        int rows = LayerSkipModel.MAX_ROWS / BATCH;
        int drafts = Math.min(mostDrafts, rows - 1);
        List<Turn> turns = new ArrayList<>(sequences.stream().map(Turn::new).toList());
        while (!turns.isEmpty()) {
            round(turns, rows - drafts, drafts);
            turns.removeIf(turn -> turn.sequence().prefilled() && turn.sequence().ended());
        }
    }

    private static void round(List<Turn> turns, int mostTokens, int mostDrafts) {
        for (Turn turn : turns) {
            turn.begin(mostTokens, mostDrafts);
            assertThat(turn.cache().reserve(turn.positionsNeeded())).isTrue();
        }
        decoding.round(turns);
        for (Turn turn : turns) {
            for (int i = 0; i < turn.written(); i++) {
                turn.sequence().write(turn.choice(i));
            }
            turn.end(turn.written());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"home: play some", "concierge: What will the weather be in"})
    void samplingKeepsTheModelsDistribution(String text) throws Exception {
        int[] prompt = checkpoint.tokenizer().encode(text);
        try (KeyValueCache cache = new KeyValueCache(memory)) {
            assertThat(cache.reserve(prompt.length + 1)).isTrue();
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
        RaggedBatch spans = new RaggedBatch();
        for (int row = 0; row < count; row++) {
            model.embed(tokens[row], row);
        }
        spans.add(cache, 0, count);
        for (int segment = 0; segment < model.segments(); segment++) {
            model.forward(segment, spans);
        }
        int from = draft ? model.segmentAfter(EXIT) : model.segments();
        model.headInput().write(0, model.states(from), count - 1);
        TokenDistribution distribution = new TokenDistribution(checkpoint.config().vocabSize());
        distribution.set(model.logits(1), 0, SAMPLING);
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
        PrefixCache prefixes = new PrefixCache(memory, 1);
        prefixes.store(prompt, prompt.length, cache);
        Map<List<Integer>, Long> drawn = new HashMap<>();
        for (int from = 0; from < DRAWS; from += BATCH) {
            List<Sequence> batch = new ArrayList<>();
            for (int seed = from; seed < from + BATCH; seed++) {
                batch.add(after(prompt, prefixes, seed));
            }
            List<Turn> going = new ArrayList<>(batch.stream().map(Turn::new).toList());
            while (!going.isEmpty()) {
                round(going, 1, 2);
                going.removeIf(turn -> turn.sequence().completionLength() >= 2);
            }
            for (Sequence sequence : batch) {
                int[] completion = completion(sequence);
                drawn.merge(List.of(completion[0], completion[1]), 1L, Long::sum);
                sequence.close();
            }
        }
        return drawn;
    }

    /** A sequence whose cache holds all but the last prompt token: all it writes is from rounds. */
    private static Sequence after(int[] prompt, PrefixCache prefixes, int seed) {
        Sequence sequence =
                new Sequence(
                        prompt,
                        5,
                        new Sequence.Drafting(
                                OptionalInt.of(EXIT), OptionalInt.of(1 + seed % 2), 0),
                        Set.of(),
                        SAMPLING,
                        seed,
                        new KeyValueCache(memory));
        sequence.foundInCache(prefixes.load(prompt, prompt.length - 1, sequence.cache()));
        assertThat(sequence.cache().reserve(prompt.length + 5)).isTrue();
        return sequence;
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
