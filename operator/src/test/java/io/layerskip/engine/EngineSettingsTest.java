package io.layerskip.engine;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

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
        assertThatThrownBy(() -> EngineSettings.builder().build())
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("0 exit layers");
    }

    @Test
    void refusesABatchThatNoPassHolds() {
        assertThatThrownBy(() -> EngineSettings.builder(1).maxBatchSize(129).build())
                .hasMessage("max_batch_size is 129; allowed: at most 128");
    }

    @Test
    void refusesAThresholdThatIsNoProbability() {
        assertThatThrownBy(
                        () -> EngineSettings.builder(1).assistantConfidenceThreshold(1.1).build())
                .hasMessage("assistant_confidence_threshold is 1.1; allowed: from 0 to 1");
    }

    private static EngineSettings settings(int numAssistantTokens, double temperature) {
        return EngineSettings.builder(1)
                .numAssistantTokens(numAssistantTokens)
                .temperature(temperature)
                .build();
    }
}
