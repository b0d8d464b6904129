package io.layerskip.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.layerskip.forward.TokenRows;
import org.apache.commons.math3.stat.inference.ChiSquareTest;
import org.junit.jupiter.api.Test;

class TokenDistributionTest {

    private static final int VOCAB = 5;

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

    @Test
    void confidenceIsTheLikeliestTokensProbability() {
        assertThat(filled(new Sampling(1, 0, 1), logs(0.5, 0.3, 0.1, 0.06, 0.04)).confidence())
                .isCloseTo(0.5, within(1e-6));
        try (TokenRows rows = new TokenRows(2, VOCAB)) {
            rows.values().put(VOCAB, logs(0.06, 0.3, 0.1, 0.5, 0.04));
            assertThat(TokenDistribution.confidence(rows, 1)).isCloseTo(0.5, within(1e-6));
        }
    }

    @Test
    void refusesLogitsThatAreNoNumbers() {
        assertThatThrownBy(() -> filled(new Sampling(1, 0, 1), Float.NaN, 0, 0, 0, 0))
                .isInstanceOf(ArithmeticException.class);
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
        try (TokenRows rows = new TokenRows(2, VOCAB)) {
            rows.values().put(VOCAB, logits);
            TokenDistribution distribution = new TokenDistribution(VOCAB);
            distribution.set(rows, 1, sampling);
            return distribution;
        }
    }

    private static float[] probabilities(TokenDistribution distribution) {
        float[] probabilities = new float[VOCAB];
        for (int token = 0; token < VOCAB; token++) {
            probabilities[token] = distribution.probability(token);
        }
        return probabilities;
    }
}
