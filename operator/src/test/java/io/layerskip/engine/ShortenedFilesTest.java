package io.layerskip.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.layerskip.forward.Precision;
import io.layerskip.model.BundledModel;
import io.layerskip.model.Checkpoint;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Files that become shorter under an engine: reading what is gone must not end the process. */
class ShortenedFilesTest {

    @TempDir Path temp;

    private Path model;
    private Path cache;

    @BeforeEach
    void copyModel() throws Exception {
        model = Files.createDirectory(temp.resolve("model"));
        cache = temp.resolve("cache");
        try (Stream<Path> files = Files.list(BundledModel.folder())) {
            for (Path file : files.toList()) {
                Files.copy(file, model.resolve(file.getFileName()));
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void aCheckpointThatIsCutShortFailsTheEngineAndSaysWhere(Precision precision) throws Exception {
        try (Checkpoint checkpoint = Checkpoint.open(model);
                GenerationEngine engine = open(checkpoint, precision)) {
            assertThat(generate(engine, "banking: I lost my card\n").failure()).isEmpty();

            shorten(model, "*.safetensors");

            assertThatThrownBy(() -> generate(engine, "assistant: is it going to rain in Rome\n"))
                    .hasRootCauseInstanceOf(InternalError.class)
                    .cause()
                    .isInstanceOf(EngineFailedException.class)
                    .hasMessageContaining(model.toString());
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"INT8", "INT4"})
    void nobodyReadsTheCacheFolderAfterLoading(Precision precision) throws Exception {
        try (Checkpoint checkpoint = Checkpoint.open(model);
                GenerationEngine engine = open(checkpoint, precision)) {
            shorten(cache, "*.weights");

            assertThat(generate(engine, "banking: I lost my card\n").failure()).isEmpty();
        }
    }

    private GenerationEngine open(Checkpoint checkpoint, Precision precision) {
        return GenerationEngine.open(
                checkpoint,
                EngineSettings.builder(4).precision(precision).cacheFolder(cache).build());
    }

    private static GenerationResult generate(GenerationEngine engine, String prompt) {
        return engine.submit(new GenerationRequest("1", prompt, GenerationParameters.DEFAULTS))
                .result()
                .join();
    }

    private static void shorten(Path folder, String files) throws Exception {
        try (DirectoryStream<Path> found = Files.newDirectoryStream(folder, files)) {
            for (Path file : found) {
                try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
                    channel.truncate(0);
                }
            }
        }
    }
}
