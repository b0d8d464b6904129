package io.layerskip.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.junit.jupiter.api.Test;

class DraftAcceptanceTest {

    private final DraftAcceptance acceptance = new DraftAcceptance();

    @Test
    void learnsThatConfidencesSayLittleWhereTheyAreLowAndDraftsAreAccepted() {
        for (int i = 0; i < 12; i++) {
            acceptance.observe(0.01, i % 6 != 0);
        }

        assertThat(acceptance.at(0.01)).isBetween(0.7, 0.9);
        assertThat(acceptance.at(0.3)).isBetween(0.7, 0.9);
    }

    @Test
    void takesAConfidenceForTheProbabilityWhereItProvesRight() {
        Random random = new Random(1);
        for (int i = 0; i < 200; i++) {
            double confidence = i % 2 == 0 ? 0.95 : 0.1;
            acceptance.observe(confidence, random.nextDouble() < confidence);
        }

        assertThat(acceptance.at(0.3)).isBetween(0.28, 0.4);
        assertThat(acceptance.at(0.95)).isGreaterThan(0.9);
        assertThat(acceptance.at(0.1)).isLessThan(0.2);
        assertThat(acceptance.average()).isBetween(0.4, 0.65);
    }

    @Test
    void followsAChangeOfTraffic() {
        for (int i = 0; i < 1_000; i++) {
            acceptance.observe(0.5, true);
        }
        for (int i = 0; i < 200; i++) {
            acceptance.observe(0.5, false);
        }

        assertThat(acceptance.at(0.5)).isLessThan(0.1);
        assertThat(acceptance.average()).isLessThan(0.1);
    }
}
