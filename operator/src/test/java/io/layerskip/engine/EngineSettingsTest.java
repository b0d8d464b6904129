package io.layerskip.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.layerskip.forward.LayerSkipModel;
import org.junit.jupiter.api.Test;

class EngineSettingsTest {

    @Test
    void decodesGreedilyWhereTheDefaultsDoNotSay() {
        GenerationParameters defaults = GenerationParameters.builder().topK(40).build();

        assertThat(EngineSettings.builder(1).defaults(defaults).build().defaults())
                .isEqualTo(GenerationParameters.builder().temperature(0).topK(40).topP(1).build());
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
                .hasMessage("max_batch_size is 129; allowed: from 1 to 128");
    }

    @Test
    void leavesHalfOfAPassToPromptsAndDrafts() {
        assertThat(EngineSettings.BATCH_SIZE.most()).isEqualTo(LayerSkipModel.MAX_ROWS / 2);
    }

    @Test
    void refusesAnEngineWithoutAThread() {
        assertThatThrownBy(() -> EngineSettings.builder(1).threads(0).build())
                .hasMessage("threads is 0; allowed: at least 1");
        assertThatThrownBy(() -> EngineSettings.builder(1).engines(0).build())
                .hasMessage("engines is 0; allowed: at least 1");
    }

    @Test
    void refusesAnEngineWithoutMemory() {
        assertThatThrownBy(() -> EngineSettings.builder(1).kvCacheBytes(0).build())
                .hasMessage("kv_cache_bytes is 0; allowed: at least 1");
    }

    @Test
    void refusesAThresholdThatIsNoProbability() {
        assertThatThrownBy(
                        () -> EngineSettings.builder(1).assistantConfidenceThreshold(1.1).build())
                .hasMessage("assistant_confidence_threshold is 1.1; allowed: from 0 to 1");
    }
}
