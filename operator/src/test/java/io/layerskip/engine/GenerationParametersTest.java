package io.layerskip.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class GenerationParametersTest {

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
