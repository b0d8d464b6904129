package io.layerskip.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.layerskip.bench.RandomCheckpoint.Design;
import io.layerskip.engine.EngineSettings;
import io.layerskip.engine.GenerationEngine;
import io.layerskip.engine.GenerationParameters;
import io.layerskip.engine.GenerationRequest;
import io.layerskip.engine.GenerationResult;
import io.layerskip.forward.Precision;
import io.layerskip.model.Checkpoint;
import io.layerskip.model.CheckpointException;
import io.layerskip.model.ModelFolder;
import io.layerskip.model.WeightRows;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class RandomCheckpointTest {

    private static final Path BUNDLED =
            Path.of("src", "main", "resources", "models", "layerskip-intents-9M");
    private static final Path TOKENIZER = BUNDLED.resolve("tokenizer.json");
    private static final int EXIT = 2;
    private static final Design DESIGN = new Design(EXIT, 0.1, 10);

    @Test
    void isServedLikeAnyOther() throws Exception {
        Path written;
        try (ModelFolder random = write(DESIGN)) {
            written = random.path();
            assertThat(complete(random, 5, Precision.INT4).tokenIds()).hasSize(5);
        }
        assertThat(written).doesNotExist();
    }

    @Test
    void acceptsEveryDraftWhereTheLaterLayersAddNothing() throws Exception {
        try (ModelFolder random = write(new Design(EXIT, 0, 10))) {
            assertThat(complete(random, 40, Precision.FP32).statistics().acceptanceRate()).isOne();
        }
    }

    @Test
    void refusesMostDraftsWhereTheLaterLayersAddMuch() throws Exception {
        try (ModelFolder random = write(new Design(EXIT, 50, 10))) {
            assertThat(complete(random, 40, Precision.FP32).statistics().acceptanceRate())
                    .isLessThan(0.5);
        }
    }

    @Test
    void hasGaussianWeightsThatDoNotRepeatAndAFinalNormOfItsPeak() throws Exception {
        try (ModelFolder random = write(DESIGN);
                Checkpoint checkpoint = Checkpoint.open(random.path())) {
            WeightRows embedding = checkpoint.embedding();
            int hidden = checkpoint.config().hiddenSize();
            int rows = checkpoint.config().vocabSize();
            float[] weights = new float[rows * hidden];
            double squares = 0;
            for (int row = 0; row < rows; row++) {
                embedding.read(row, FloatBuffer.wrap(weights), row * hidden);
            }
            for (float weight : weights) {
                squares += weight * weight;
            }
            assertThat(Math.sqrt(squares / weights.length)).isBetween(0.0198, 0.0202);
            int half = weights.length / 2;
            int equal = 0;
            for (int i = 0; i < half; i++) {
                equal += weights[i] == weights[i + half] ? 1 : 0;
            }
            // BF16 has few numbers, so some are equal by chance.
            assertThat(equal).isLessThan(half / 20);
            assertThat(checkpoint.finalNorm()).containsOnly(10);
        }
    }

    @Test
    void refusesAConfigurationThatIsNotServed() {
        assertThatThrownBy(() -> RandomCheckpoint.write("{}", TOKENIZER, DESIGN))
                .isInstanceOf(CheckpointException.class);
    }

    private static ModelFolder write(Design design) throws Exception {
        String config = Files.readString(BUNDLED.resolve("config.json"));
        return RandomCheckpoint.write(config, TOKENIZER, design);
    }

    private static GenerationResult complete(ModelFolder folder, int tokens, Precision precision)
            throws Exception {
        EngineSettings settings = EngineSettings.builder(EXIT).precision(precision).build();
        GenerationParameters parameters =
                GenerationParameters.builder()
                        .maxTokens(tokens)
                        .ignoreEos(true)
                        .numAssistantTokens(3)
                        .build();
        try (Checkpoint checkpoint = Checkpoint.open(folder.path());
                GenerationEngine engine = GenerationEngine.open(checkpoint, settings)) {
            return engine.submit(new GenerationRequest("1", "Hello", parameters)).result().join();
        }
    }
}
