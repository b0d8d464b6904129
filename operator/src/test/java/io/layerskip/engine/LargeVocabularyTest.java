package io.layerskip.engine;

import static org.assertj.core.api.Assertions.assertThat;

import io.layerskip.forward.Precision;
import io.layerskip.model.Checkpoint;
import io.layerskip.model.CheckpointWriter;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Where the vocabulary is so large that drafts have a head of their own. */
class LargeVocabularyTest {

    @TempDir Path folder;

    @ParameterizedTest
    @EnumSource(Precision.class)
    void draftsByTheirOwnHeadChangeNothing(Precision precision) throws Exception {
        try (Checkpoint checkpoint = largeVocabulary();
                GenerationEngine engine = GenerationEngine.open(checkpoint, settings(precision))) {
            for (double temperature : new double[] {0, 0.8}) {
                GenerationResult plain = generate(engine, temperature, 0);
                GenerationResult drafting = generate(engine, temperature, 3);

                assertThat(drafting.tokenIds()).isEqualTo(plain.tokenIds());
                assertThat(drafting.statistics().draftedTokens()).isPositive();
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Precision.class)
    void whatRequestsChangeIsChangedForTheirOwnHeadToo(Precision precision) throws Exception {
        try (Checkpoint checkpoint = largeVocabulary();
                GenerationEngine engine = GenerationEngine.open(checkpoint, settings(precision))) {
            for (double temperature : new double[] {0, 0.8}) {
                GenerationResult plain = generate(engine, changing(), temperature, 0);
                GenerationResult drafting = generate(engine, changing(), temperature, 3);

                assertThat(drafting.tokenIds()).isEqualTo(plain.tokenIds());
                assertThat(drafting.statistics().draftedTokens()).isPositive();
                assertThat(drafting.tokenIds()).doesNotHaveDuplicates();
            }
        }
    }

    private Checkpoint largeVocabulary() throws Exception {
        Path model = folder.resolve("model");
        new CheckpointWriter(3)
                .config("vocab_size", 131_072)
                .config("hidden_size", 256)
                .config("tie_word_embeddings", true)
                .write(model);
        return Checkpoint.open(model);
    }

    private EngineSettings settings(Precision precision) {
        return EngineSettings.builder(2)
                .precision(precision)
                .cacheFolder(folder.resolve("cache"))
                .build();
    }

    /** No token twice. */
    private static GenerationParameters.Builder changing() {
        return GenerationParameters.builder()
                .presencePenalty(2)
                .repetitionPenalty(1e6)
                .minP(0.001)
                .logprobs(2);
    }

    private static GenerationResult generate(
            GenerationEngine engine, double temperature, int drafts) throws Exception {
        return generate(engine, GenerationParameters.builder(), temperature, drafts);
    }

    private static GenerationResult generate(
            GenerationEngine engine,
            GenerationParameters.Builder asked,
            double temperature,
            int drafts)
            throws Exception {
        GenerationParameters parameters =
                asked.temperature(temperature)
                        .numAssistantTokens(drafts)
                        .maxTokens(60)
                        .ignoreEos(true)
                        .build();
        return engine.submit(new GenerationRequest("1", "Alice and Bob", parameters))
                .result()
                .get();
    }
}
