package io.layerskip.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.layerskip.forward.TokenRows;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.apache.commons.math3.stat.inference.ChiSquareTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class TokenDistributionTest {

    private static final long SEED = 7;
    private static final int VOCAB = 5;
    private static final int LARGE_VOCAB = 4096;
    private static final int LLAMA_3_VOCAB = 128_256;

    private static final List<Sampling> SAMPLINGS =
            List.of(
                    new Sampling(0.7, 0, 1),
                    new Sampling(1e-320, 0, 1),
                    new Sampling(100, 0, 1),
                    new Sampling(0.7, 50, 1),
                    new Sampling(0.7, 2000, 1),
                    new Sampling(0.7, 0, 0.9),
                    new Sampling(0.7, 0, 0.1),
                    new Sampling(0.7, 0, 0.999_999_9),
                    new Sampling(100, 0, 0.9),
                    new Sampling(1, 50, 0.9),
                    new Sampling(1, 2000, 0.9),
                    minP(0.7, 0, 1, 0.05),
                    minP(1, 0, 1, 1e-9),
                    minP(1, 50, 0.9, 0.1),
                    minP(1, 2000, 0.9, 1e-6),
                    minP(1.3, 0, 0.8, 0.01),
                    minP(1, 0, 1, 1));

    @Test
    void isTheSoftmaxOverTheTemperature() {
        float[] p = distribution(new Sampling(2, 0, 1), 2, 0, 4, 0, 0);

        double sum = Math.exp(1) + Math.exp(2) + 3;
        assertThat(p[0]).isCloseTo((float) (Math.exp(1) / sum), within(1e-6f));
        assertThat(p[2]).isCloseTo((float) (Math.exp(2) / sum), within(1e-6f));
        assertThat(p[4]).isCloseTo((float) (1 / sum), within(1e-6f));
    }

    @Test
    void topKKeepsTheBestAndTheirEquals() {
        float[] p = distribution(new Sampling(1, 2, 1), 1, 3, 2, 2, 0);

        assertThat(p[0]).isZero();
        assertThat(p[1]).isPositive();
        assertThat(p[2]).isEqualTo(p[3]).isPositive();
        assertThat(p[4]).isZero();
    }

    @Test
    void topPKeepsTheFewestThatReachIt() {
        float[] logits = logs(0.5, 0.3, 0.1, 0.06, 0.04);

        assertThat(distribution(new Sampling(1, 0, 0.7), logits))
                .containsExactly(new float[] {0.625f, 0.375f, 0, 0, 0}, within(1e-6f));
        assertThat(distribution(new Sampling(1, 0, 0.85), logits))
                .containsExactly(new float[] {0.5556f, 0.3333f, 0.1111f, 0, 0}, within(1e-4f));
        assertThat(distribution(new Sampling(1, 0, 0.01), logits))
                .containsExactly(new float[] {1, 0, 0, 0, 0}, within(1e-6f));
    }

    @Test
    void topPIsTakenOfWhatTopKLeft() {
        assertThat(distribution(new Sampling(1, 2, 0.6), logs(0.5, 0.3, 0.1, 0.06, 0.04)))
                .containsExactly(new float[] {1, 0, 0, 0, 0}, within(1e-6f));
    }

    @Test
    void aTinyTemperatureIsGreedy() {
        assertThat(distribution(new Sampling(1e-12, 0, 1), 1, 1.5f, 100, 99, 0))
                .containsExactly(0, 0, 1, 0, 0);
    }

    @Test
    void drawsEachTokenWithItsProbability() {
        double[] probabilities = {0.5, 0.3, 0.1, 0.06, 0.04};
        TokenDistribution distribution = filled(new Sampling(1, 0, 1), logs(probabilities));
        long[] drawn = new long[VOCAB];
        for (int position = 0; position < 100_000; position++) {
            drawn[distribution.sample(7, position)]++;
        }

        assertThat(new ChiSquareTest().chiSquareTest(probabilities, drawn)).isGreaterThan(1e-3);
    }

    @Test
    void drawsByPositionAreIndependent() {
        double[] probabilities = {0.5, 0.3, 0.1, 0.06, 0.04};
        TokenDistribution distribution = filled(new Sampling(1, 0, 1), logs(probabilities));
        long[][] pairs = new long[VOCAB][VOCAB];
        for (int position = 0; position < 100_000; position++) {
            pairs[distribution.sample(7, position)][distribution.sample(7, position + 1)]++;
        }

        assertThat(new ChiSquareTest().chiSquareTest(pairs)).isGreaterThan(1e-3);
    }

    @Test
    void closeDistributionsDrawTheSameTokenAtLeastAsOftenAsTheCouplingPromises() {
        Sampling plain = new Sampling(1, 0, 1);
        TokenDistribution target = filled(plain, logs(0.5, 0.3, 0.1, 0.06, 0.04));
        TokenDistribution draft = filled(plain, logs(0.4, 0.4, 0.1, 0.06, 0.04));
        int same = 0;
        for (int position = 0; position < 10_000; position++) {
            same += target.sample(7, position) == draft.sample(7, position) ? 1 : 0;
        }

        // Their total variation distance is 0.1; 0.02 is four standard deviations.
        assertThat(same / 10_000.0).isGreaterThan((1 - 0.1) / (1 + 0.1) - 0.02);
    }

    @ParameterizedTest
    @FieldSource("SAMPLINGS")
    void drawsTheReferencesTokens(Sampling sampling) {
        for (float[] logits : manyLogits(LARGE_VOCAB, 12)) {
            assertDrawsTheReferencesTokens(logits, sampling, 50);
        }
    }

    @ParameterizedTest
    @FieldSource("SAMPLINGS")
    void drawsTheReferencesTokensFromALargeVocabulary(Sampling sampling) {
        for (float[] logits : manyLogits(LLAMA_3_VOCAB, 1)) {
            assertDrawsTheReferencesTokens(logits, sampling, 10);
        }
    }

    @Test
    void drawsTheReferencesTokenWhereTwoArriveTogether() {
        for (int position = 0; position < 500; position++) {
            float[] logits = new float[LARGE_VOCAB];
            Arrays.fill(logits, -40);
            logits[0] = 0;
            float together = (float) Math.log(arrival(position, 1) / arrival(position, 0));
            for (int ulp = -3; ulp <= 3; ulp++) {
                logits[1] = together + ulp * Math.ulp(together);
                assertDrawsTheReferencesToken(logits, new Sampling(1, 0, 1), position);
            }
        }
    }

    @Test
    void drawsTheReferencesTokensWhereTopPIsJustReached() {
        float[] logits = new float[LARGE_VOCAB];
        Arrays.fill(logits, -40);
        for (int token = 0; token < 20; token++) {
            logits[token] = -token / 7f;
        }
        var uncut = new ReferenceTokenDistribution(logits, new Sampling(1, 0, 1));
        double reached = 0;
        for (int token = 0; token < 19; token++) {
            reached += uncut.probability(token);
            for (double topP : new double[] {reached, Math.nextUp(reached)}) {
                assertDrawsTheReferencesTokens(logits, new Sampling(1, 0, topP), 200);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {VOCAB, LARGE_VOCAB})
    void probabilitiesAreTheReferences(int vocab) {
        Sampling sampling = new Sampling(0.7, vocab / 2, 0.9);
        for (float[] logits : manyLogits(vocab, 1)) {
            var reference = new ReferenceTokenDistribution(logits, sampling);
            TokenDistribution distribution = filled(sampling, logits);
            for (int token = 0; token < vocab; token++) {
                assertThat(distribution.probability(token)).isEqualTo(reference.probability(token));
            }
        }
    }

    @ParameterizedTest
    @FieldSource("SAMPLINGS")
    void confidenceIsTheLikeliestTokensProbability(Sampling sampling) {
        double precision = sampling.topP() < 1 ? 1e-3 : 1e-6;
        for (int vocab : new int[] {VOCAB, LARGE_VOCAB}) {
            for (float[] logits : manyLogits(vocab, 5)) {
                double likeliest = new ReferenceTokenDistribution(logits, sampling).confidence();
                assertThat(filled(sampling, logits).confidence())
                        .isCloseTo(likeliest, within(precision * likeliest));
            }
        }
    }

    @Test
    void minPKeepsWhatIsThisLikelyBesideTheLikeliest() {
        float[] logits = logs(0.5, 0.3, 0.1, 0.06, 0.04);

        assertThat(distribution(minP(1, 0, 1, 0.19), logits))
                .usingComparatorWithPrecision(1e-6f)
                .containsExactly(0.5f / 0.9f, 0.3f / 0.9f, 0.1f / 0.9f, 0, 0);
        // Of 0.9, the first has more than 0.55; of all, it would not.
        assertThat(distribution(minP(1, 0, 0.55, 0.19), logits)).containsExactly(1, 0, 0, 0, 0);
        assertThat(distribution(new Sampling(1, 0, 0.55), logits)[1]).isPositive();
    }

    @Test
    void theModelsOwnDistributionIsThatAtTemperature1() {
        try (TokenRows rows = new TokenRows(2, VOCAB)) {
            rows.values().put(VOCAB, logs(0.06, 0.3, 0.1, 0.5, 0.04));
            TokenDistribution distribution = new TokenDistribution(VOCAB);
            assertThat(distribution.set(rows, 1)).isTrue();
            assertThat(distribution.confidence()).isCloseTo(0.5, within(1e-6));
        }
    }

    @ParameterizedTest
    @MethodSource
    void thereIsNoDistributionWhereALogitIsNoNumber(float[] logits) {
        for (Sampling sampling : SAMPLINGS) {
            assertThat(isDistribution(sampling, logits)).isFalse();
        }
    }

    private static Stream<float[]> thereIsNoDistributionWhereALogitIsNoNumber() {
        return Stream.of(VOCAB, LARGE_VOCAB)
                .flatMap(
                        vocab ->
                                Stream.of(
                                        with(vocab, 0, Float.NaN),
                                        with(vocab, vocab - 1, Float.NaN),
                                        with(vocab, 1, Float.POSITIVE_INFINITY),
                                        all(vocab, Float.NaN),
                                        all(vocab, Float.NEGATIVE_INFINITY)));
    }

    @Test
    void aLogitOfNegativeInfinityIsATokenThatIsNotDrawn() {
        assertThat(distribution(new Sampling(1, 0, 1), 0, 0, Float.NEGATIVE_INFINITY, 0, 0))
                .containsExactly(0.25f, 0.25f, 0, 0.25f, 0.25f);
    }

    private static void assertDrawsTheReferencesTokens(
            float[] logits, Sampling sampling, int positions) {
        var reference = new ReferenceTokenDistribution(logits, sampling);
        TokenDistribution distribution = new TokenDistribution(logits.length);
        try (TokenRows rows = rows(logits)) {
            for (int position = 0; position < positions; position++) {
                long seed = logits.length * 31L + position % 3;
                distribution.set(rows, 1, sampling);
                assertThat(distribution.sample(seed, position))
                        .isEqualTo(reference.sample(seed, position));
            }
        }
    }

    private static void assertDrawsTheReferencesToken(
            float[] logits, Sampling sampling, int position) {
        assertThat(filled(sampling, logits).sample(SEED, position))
                .isEqualTo(new ReferenceTokenDistribution(logits, sampling).sample(SEED, position));
    }

    private static Sampling minP(double temperature, int topK, double topP, double minP) {
        return new Sampling(temperature, topK, topP, minP, LogitsAdjustment.NONE);
    }

    /** When the token would arrive in a race if its weight were 1. */
    private static double arrival(int position, int token) {
        long bits = SplitMix64.bits(SplitMix64.mix(SEED + SplitMix64.mix(position)), token);
        return -Math.log(SplitMix64.uniform(bits));
    }

    /** Flat and peaked ones, such with equals among them, and all equal. */
    private static List<float[]> manyLogits(int vocab, int ofEachKind) {
        Random random = new Random(vocab);
        Stream<float[]> drawn =
                Stream.generate(() -> random)
                        .limit(ofEachKind)
                        .flatMap(
                                r -> {
                                    float[] flat = new float[vocab];
                                    float[] peaked = new float[vocab];
                                    float[] coarse = new float[vocab];
                                    for (int token = 0; token < vocab; token++) {
                                        flat[token] = (float) r.nextGaussian();
                                        peaked[token] = (float) r.nextGaussian() * 2;
                                        coarse[token] = Math.round(r.nextGaussian() * 4) / 4f;
                                    }
                                    for (int i = 0; i < 20; i++) {
                                        peaked[r.nextInt(vocab)] += 8 + (float) r.nextGaussian();
                                    }
                                    return Stream.of(flat, peaked, coarse);
                                });
        return Stream.concat(drawn, Stream.of(new float[vocab])).toList();
    }

    private static float[] with(int vocab, int token, float logit) {
        float[] logits = new float[vocab];
        logits[token] = logit;
        return logits;
    }

    private static float[] all(int vocab, float logit) {
        float[] logits = new float[vocab];
        Arrays.fill(logits, logit);
        return logits;
    }

    private static float[] logs(double... probabilities) {
        float[] logits = new float[probabilities.length];
        for (int i = 0; i < logits.length; i++) {
            logits[i] = (float) Math.log(probabilities[i]);
        }
        return logits;
    }

    private static float[] distribution(Sampling sampling, float... logits) {
        return probabilities(filled(sampling, logits));
    }

    private static TokenDistribution filled(Sampling sampling, float... logits) {
        try (TokenRows rows = rows(logits)) {
            TokenDistribution distribution = new TokenDistribution(logits.length);
            assertThat(distribution.set(rows, 1, sampling)).isTrue();
            return distribution;
        }
    }

    private static boolean isDistribution(Sampling sampling, float... logits) {
        try (TokenRows rows = rows(logits)) {
            return new TokenDistribution(logits.length).set(rows, 1, sampling);
        }
    }

    /** The logits in the second row. */
    private static TokenRows rows(float... logits) {
        TokenRows rows = new TokenRows(2, logits.length);
        rows.values().put(logits.length, logits);
        return rows;
    }

    private static float[] probabilities(TokenDistribution distribution) {
        float[] probabilities = new float[VOCAB];
        for (int token = 0; token < VOCAB; token++) {
            probabilities[token] = distribution.probability(token);
        }
        return probabilities;
    }
}
