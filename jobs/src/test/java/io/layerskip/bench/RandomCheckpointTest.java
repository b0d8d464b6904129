package io.layerskip.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.layerskip.engine.EngineSettings;
import io.layerskip.engine.GenerationEngine;
import io.layerskip.engine.GenerationParameters;
import io.layerskip.engine.GenerationRequest;
import io.layerskip.forward.Precision;
import io.layerskip.model.Checkpoint;
import io.layerskip.model.CheckpointException;
import io.layerskip.model.ModelFolder;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class RandomCheckpointTest {

    private static final Path BUNDLED =
            Path.of("src", "main", "resources", "models", "layerskip-intents-9M");
    private static final Path TOKENIZER = BUNDLED.resolve("tokenizer.json");

    @Test
    void isServedLikeAnyOther() throws Exception {
        String config = Files.readString(BUNDLED.resolve("config.json"));
        Path written;
        try (ModelFolder random = RandomCheckpoint.write(config, TOKENIZER)) {
            written = random.path();
            try (Checkpoint checkpoint = Checkpoint.open(written);
                    GenerationEngine engine =
                            GenerationEngine.open(
                                    checkpoint,
                                    EngineSettings.builder(1).precision(Precision.INT4).build())) {
                GenerationParameters parameters =
                        GenerationParameters.builder().maxTokens(5).ignoreEos(true).build();

                assertThat(
                                engine.submit(new GenerationRequest("1", "Hello", parameters))
                                        .result()
                                        .join()
                                        .tokenIds())
                        .hasSize(5);
            }
        }
        assertThat(written).doesNotExist();
    }

    @Test
    void refusesAConfigurationThatIsNotServed() {
        assertThatThrownBy(() -> RandomCheckpoint.write("{}", TOKENIZER))
                .isInstanceOf(CheckpointException.class);
    }
}
