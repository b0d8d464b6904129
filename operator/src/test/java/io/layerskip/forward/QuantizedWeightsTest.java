package io.layerskip.forward;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.layerskip.model.Checkpoint;
import io.layerskip.model.CheckpointException;
import io.layerskip.model.CheckpointWriter;
import io.layerskip.model.LlamaTensors;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class QuantizedWeightsTest {

    private static final String MATRIX = LlamaTensors.layer(0).query();

    @TempDir Path folder;

    @Test
    void keepsAFileForEachModelAndPrecisionAndUsesItAgain() throws Exception {
        Path cache = folder.resolve("new").resolve("cache");
        Path one = new CheckpointWriter(1).write(folder.resolve("one"));
        Path other = new CheckpointWriter(2).write(folder.resolve("other"));

        Path made = open(one, Precision.INT8, cache);
        Object identity = Files.readAttributes(made, "fileKey").get("fileKey");

        assertThat(open(one, Precision.INT8, cache)).isEqualTo(made);
        assertThat(Files.readAttributes(made, "fileKey")).containsEntry("fileKey", identity);
        assertThat(open(one, Precision.INT4, cache)).isNotEqualTo(made);
        assertThat(open(other, Precision.INT8, cache)).isNotEqualTo(made);
        try (Stream<Path> files = Files.list(cache)) {
            assertThat(files).hasSize(3);
        }
    }

    @Test
    void aCopyOfTheModelFindsTheSameFile() throws Exception {
        Path one = new CheckpointWriter(1).write(folder.resolve("one"));
        Path copy = new CheckpointWriter(1).write(folder.resolve("copy"));

        assertThat(open(copy, Precision.INT8, folder)).isEqualTo(open(one, Precision.INT8, folder));
    }

    @Test
    void makesAFileAgainThatIsNotWhole() throws Exception {
        Path model = new CheckpointWriter(1).write(folder.resolve("model"));
        Path made = open(model, Precision.INT8, folder);
        byte[] whole = Files.readAllBytes(made);
        Files.write(made, new byte[whole.length - 1]);

        open(model, Precision.INT8, folder);

        assertThat(made).hasBinaryContent(whole);
    }

    @ParameterizedTest
    @EnumSource(names = {"INT8", "INT4"})
    void withoutAFolderTheFileGoesWithItsUser(Precision precision) throws Exception {
        Path model = new CheckpointWriter(1).write(folder);
        try (Checkpoint checkpoint = Checkpoint.open(model)) {
            QuantizedWeights weights =
                    QuantizedWeights.open(checkpoint, precision, Optional.empty());
            Path file = weights.matrix(MATRIX).file();

            assertThat(file).isNotEmptyFile();
            weights.close();
            assertThat(file).doesNotExist();
        }
    }

    @Test
    void refusesWeightsThatAreNotFinite() throws Exception {
        Path model = new CheckpointWriter(1).write(folder.resolve("model"));
        try (RandomAccessFile file =
                new RandomAccessFile(model.resolve("model.safetensors").toFile(), "rw")) {
            // All that comes after the header.
            file.seek(file.length() / 2);
            while (file.getFilePointer() < file.length()) {
                file.writeByte(0xff);
            }
        }

        assertThatThrownBy(() -> open(model, Precision.INT8, folder))
                .isInstanceOf(CheckpointException.class)
                .hasMessageContaining("NaN; only finite weights can be quantized");
        try (Stream<Path> files = Files.list(folder)) {
            assertThat(files.toList()).isEqualTo(List.of(model));
        }
    }

    private static Path open(Path model, Precision precision, Path cache) throws IOException {
        try (Checkpoint checkpoint = Checkpoint.open(model);
                QuantizedWeights weights =
                        QuantizedWeights.open(checkpoint, precision, Optional.of(cache))) {
            return weights.matrix(MATRIX).file();
        }
    }
}
