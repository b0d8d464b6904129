package io.layerskip.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class GenerationParametersTest {

    private static final GenerationParameters EVERYTHING =
            new GenerationParameters(
                    OptionalInt.of(9),
                    OptionalDouble.of(0.5),
                    OptionalInt.of(40),
                    OptionalDouble.of(0.9),
                    OptionalLong.of(7),
                    List.of("x"),
                    OptionalInt.of(2),
                    OptionalInt.of(3),
                    true);

    @Test
    void keepsWhatItAsksFor() {
        GenerationParameters others =
                GenerationParameters.builder()
                        .maxTokens(1)
                        .temperature(1)
                        .topK(1)
                        .topP(1)
                        .seed(1)
                        .stop("y")
                        .assistantEarlyExit(1)
                        .numAssistantTokens(1)
                        .build();

        assertThat(EVERYTHING.orElse(others)).isEqualTo(EVERYTHING);
    }

    @Test
    void takesWhatItLeavesOpenFromOthers() {
        assertThat(GenerationParameters.DEFAULTS.orElse(EVERYTHING)).isEqualTo(EVERYTHING);
    }

    @ParameterizedTest
    @ValueSource(doubles = {Double.MIN_VALUE, 0.5, 1})
    void takesAProbabilityForTopP(double topP) {
        assertThatCode(() -> GenerationParameters.builder().topP(topP).build())
                .doesNotThrowAnyException();
    }

    @ParameterizedTest
    @ValueSource(doubles = {-0.1, 0, 1.1, Double.NaN, Double.POSITIVE_INFINITY})
    void refusesWhatIsNoProbabilityForTopP(double topP) {
        assertThatThrownBy(() -> GenerationParameters.builder().topP(topP).build())
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("top_p is %s; allowed: above 0 and at most 1", topP);
    }

    @Test
    void refusesMoreStopTextsThanAreLookedFor() {
        String[] stop = "a b c d e f g h i j k l m n o p q".split(" ");

        assertThatThrownBy(() -> GenerationParameters.builder().stop(stop).build())
                .hasMessage("stop is 17 texts; allowed: at most 16");
    }

    @Test
    void letsInStopTextsUpToTheirGreatestLength() {
        String longest = "🚀".repeat(GenerationParameters.MAX_STOP_CHARACTERS);

        assertThat(GenerationParameters.builder().stop("x", longest).build().stop())
                .containsExactly("x", longest);
    }

    @Test
    void refusesALongerStopText() {
        String tooLong = "x".repeat(GenerationParameters.MAX_STOP_CHARACTERS + 1);

        assertThatThrownBy(() -> GenerationParameters.builder().stop("x", tooLong).build())
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("stop has a text of 257 characters; allowed: at most 256");
    }
}
