package io.layerskip.engine;

import static org.assertj.core.api.Assertions.assertThat;

import io.layerskip.forward.Precision;
import io.layerskip.model.BundledModel;
import io.layerskip.model.BundledModel.GoldenCase;
import io.layerskip.model.Checkpoint;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PrecisionTest {

    private static final List<GoldenCase> GOLDEN = BundledModel.goldenCases();

    @TempDir Path cache;

    @ParameterizedTest
    @CsvSource({"FP32, 120", "INT8, 118", "INT4, 110"})
    void agreesWithTheReference(Precision precision, long least) throws Exception {
        List<String> texts = complete(EngineSettings.builder(1).precision(precision).build(), 32);

        long agreeing =
                Stream.iterate(0, i -> i + 1)
                        .limit(GOLDEN.size())
                        .filter(i -> texts.get(i).equals(GOLDEN.get(i).completion()))
                        .count();
        assertThat(agreeing).isGreaterThanOrEqualTo(least);
    }

    @Test
    void integersMakeTheSameTextWithDraftsWithoutAndInAnyCompany() throws Exception {
        EngineSettings settings =
                EngineSettings.builder(1).precision(Precision.INT8).cacheFolder(cache).build();

        List<String> together = complete(settings, 32);

        assertThat(complete(drafting(settings, 0), 1)).isEqualTo(together);
        assertThat(complete(drafting(settings, 4), 3)).isEqualTo(together);
    }

    private static EngineSettings drafting(EngineSettings settings, int tokens) {
        return settings.toBuilder()
                .defaults(GenerationParameters.builder().numAssistantTokens(tokens).build())
                .build();
    }

    private static List<String> complete(EngineSettings settings, int batch) throws Exception {
        try (Checkpoint checkpoint = Checkpoint.open(BundledModel.folder());
                GenerationEngine engine =
                        GenerationEngine.open(
                                checkpoint, settings.toBuilder().maxBatchSize(batch).build())) {
            List<Generation> generations =
                    GOLDEN.stream()
                            .map(
                                    golden ->
                                            engine.submit(
                                                    new GenerationRequest(
                                                            golden.prompt(),
                                                            golden.prompt(),
                                                            GenerationParameters.DEFAULTS)))
                            .toList();
            return generations.stream()
                    .map(generation -> generation.result().join().text())
                    .toList();
        }
    }
}
