package io.layerskip.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.layerskip.engine.EngineSettings;
import io.layerskip.engine.GenerationEngine;
import io.layerskip.engine.GenerationParameters;
import io.layerskip.engine.GenerationRequest;
import io.layerskip.forward.Precision;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RandomCheckpointTest {

    private static final Path TOKENIZER = BundledModel.folder().resolve("tokenizer.json");

    @TempDir Path folder;

    @Test
    void isServedLikeAnyOther() throws Exception {
        String config =
                Files.readString(
                        new CheckpointWriter(1).writeConfig(folder).resolve("config.json"));
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
