package io.layerskip.engine;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

class EngineSettingsTest {

    @Test
    void refusesDefaultsThatNoRequestCouldAskFor() {
        assertThatThrownBy(() -> settings(65, 0))
                .hasMessageContaining("num_assistant_tokens is 65");
        assertThatThrownBy(() -> settings(5, -1)).hasMessageContaining("temperature is -1");
    }

    @Test
    void refusesAnEngineWithoutAnExit() {
        assertThatThrownBy(
                        () -> new EngineSettings(List.of(), 5, OptionalInt.empty(), 0, 0, 1, 1, 1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("0 exit layers");
    }

    private static EngineSettings settings(int numAssistantTokens, double temperature) {
        return new EngineSettings(
                List.of(1), numAssistantTokens, OptionalInt.empty(), temperature, 0, 1, 1, 1);
    }
}
