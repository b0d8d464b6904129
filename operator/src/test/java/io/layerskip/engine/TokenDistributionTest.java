package io.layerskip.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.onnxruntime.OrtEnvironment;
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
    void drawsEachTokenForItsShareOfTheUnitInterval() {
        TokenDistribution distribution =
                filled(new Sampling(1, 0, 1), logs(0.5, 0.3, 0.1, 0.06, 0.04));

        assertThat(distribution.sample(0)).isZero();
        assertThat(distribution.sample(0.499)).isZero();
        assertThat(distribution.sample(0.501)).isEqualTo(1);
        assertThat(distribution.sample(0.799)).isEqualTo(1);
        assertThat(distribution.sample(Math.nextDown(1.0))).isEqualTo(4);
    }

    @Test
    void theRestOfARefusedDraftIsThePositiveDifference() {
        Sampling plain = new Sampling(1, 0, 1);
        TokenDistribution target = filled(plain, logs(0.5, 0.3, 0.1, 0.06, 0.04));
        target.subtract(filled(plain, logs(0.2, 0.7, 0.05, 0.03, 0.02)));

        assertThat(probabilities(target))
                .containsExactly(new float[] {0.75f, 0, 0.125f, 0.075f, 0.05f}, within(1e-3f));
    }

    @Test
    void equalDistributionsLeaveTheTarget() {
        Sampling plain = new Sampling(1, 0, 1);
        TokenDistribution target = filled(plain, logs(0.5, 0.3, 0.1, 0.06, 0.04));
        target.subtract(filled(plain, logs(0.5, 0.3, 0.1, 0.06, 0.04)));

        assertThat(probabilities(target))
                .containsExactly(new float[] {0.5f, 0.3f, 0.1f, 0.06f, 0.04f}, within(1e-6f));
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
        try (TokenRows rows = new TokenRows(OrtEnvironment.getEnvironment(), 2, VOCAB)) {
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
