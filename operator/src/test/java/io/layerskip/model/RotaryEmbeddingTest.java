package io.layerskip.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.layerskip.model.RotaryEmbedding.Llama3Scaling;
import java.util.Optional;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RotaryEmbeddingTest {

    private static final RotaryEmbedding PLAIN = new RotaryEmbedding(10_000, Optional.empty());
    private static final RotaryEmbedding LLAMA_3_2 =
            new RotaryEmbedding(500_000, Optional.of(new Llama3Scaling(32, 1, 4, 8192)));

    @Test
    void frequenciesFallFromOneByPowersOfTheta() {
        assertThat(PLAIN.inverseFrequencies(8))
                .containsExactly(new float[] {1, 0.1f, 0.01f, 0.001f}, relative(0.001, 1e-6));
    }

    /**
     * Pairs 0 to 14 have wavelengths under 8192 / 4 and are kept, 15 to 17 lie between, 18 to 31
     * are above 8192 / 1 and divided by 32. The values are the formula's, computed in float64.
     */
    @ParameterizedTest
    @CsvSource({
        "0, 1",
        "1, 0.663601238",
        "14, 0.00321144599",
        "15, 0.00129054793",
        "16, 0.000429556797",
        "17, 0.000097082878",
        "18, 0.0000194616382",
        "31, 0.0000000941830673"
    })
    void scalesAsLlama32Does(int pair, double expected) {
        assertThat((double) LLAMA_3_2.inverseFrequencies(64)[pair])
                .isCloseTo(expected, within(expected * 1e-6));
    }

    private static Offset<Float> relative(double smallest, double error) {
        return within((float) (smallest * error));
    }
}
