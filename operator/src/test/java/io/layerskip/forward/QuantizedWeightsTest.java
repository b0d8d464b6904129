package io.layerskip.forward;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.layerskip.model.Checkpoint;
import io.layerskip.model.CheckpointException;
import io.layerskip.model.CheckpointWriter;
import io.layerskip.model.LlamaTensors;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class QuantizedWeightsTest {

    private static final List<String> MATRIX = List.of(LlamaTensors.layer(0).gate());

    @TempDir Path folder;

    @ParameterizedTest
    @EnumSource(names = {"INT8", "INT4"})
    void withoutAFolderTheFileGoesWithItsUser(Precision precision) throws Exception {
        Path model = new CheckpointWriter(1).write(folder);
        try (Checkpoint checkpoint = Checkpoint.open(model)) {
            QuantizedWeights weights =
                    QuantizedWeights.open(
                            checkpoint, precision, Optional.empty(), LoadListener.NONE);
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
            assertThat(files).noneMatch(file -> file.toString().contains(".weights"));
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"INT8", "INT4"})
    void tellsHowFarItIsUntilEachStageIsWhole(Precision precision) throws Exception {
        Path model = new CheckpointWriter(1).write(folder.resolve("model"));
        Map<LoadListener.Stage, Long> left = new LinkedHashMap<>();
        LoadListener listener = (stage, done, total) -> left.put(stage, total - done);

        try (Checkpoint checkpoint = Checkpoint.open(model)) {
            new LayerSkipModel(
                            checkpoint,
                            List.of(1, 2),
                            precision,
                            Optional.of(folder.resolve("cache")),
                            new PassThreads(1, 1),
                            listener)
                    .close();
        }

        assertThat(left)
                .containsOnlyKeys(
                        LoadListener.Stage.HASHING,
                        LoadListener.Stage.CONVERTING,
                        LoadListener.Stage.CHECKING,
                        LoadListener.Stage.BUILDING)
                .allSatisfy((stage, bytes) -> assertThat(bytes).as(stage.text()).isZero());
    }

    @ParameterizedTest
    @EnumSource
    void buildingCanBeInterrupted(Precision precision) throws Exception {
        Path model = new CheckpointWriter(1).write(folder.resolve("model"));
        LoadListener interrupting = Interruption.at(LoadListener.Stage.BUILDING);

        try (Checkpoint checkpoint = Checkpoint.open(model)) {
            assertThatThrownBy(
                            () ->
                                    new LayerSkipModel(
                                            checkpoint,
                                            List.of(1),
                                            precision,
                                            Optional.empty(),
                                            new PassThreads(1, 1),
                                            interrupting))
                    .isInstanceOf(InterruptedIOException.class);
        }
        assertThat(Thread.interrupted()).isTrue();
    }

    private static Path open(Path model, Precision precision, Path cache) throws IOException {
        try (Checkpoint checkpoint = Checkpoint.open(model);
                QuantizedWeights weights =
                        QuantizedWeights.open(
                                checkpoint, precision, Optional.of(cache), LoadListener.NONE)) {
            return weights.matrix(MATRIX).file();
        }
    }
}
