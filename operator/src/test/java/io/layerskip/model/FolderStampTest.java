package io.layerskip.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FolderStampTest {

    @TempDir Path temp;
    private Path folder;
    private FolderStamp before;

    @BeforeEach
    void write() throws IOException {
        folder = new CheckpointWriter(1).write(temp.resolve("model"));
        before = FolderStamp.of(folder);
    }

    @Test
    void staysWhileNothingChanges() throws IOException {
        Files.writeString(folder.resolve("INT8.weights"), "what a cache folder would hold");

        assertThat(FolderStamp.of(folder)).isEqualTo(before);
    }

    @Test
    void isThatOfTheFolderAndNotOfAWayToIt() throws IOException {
        Path link = Files.createSymbolicLink(temp.resolve("link"), folder);

        assertThat(FolderStamp.of(link)).isEqualTo(before);
    }

    @Test
    void changesWithALongerFile() throws IOException {
        Files.writeString(folder.resolve("config.json"), " ", StandardOpenOption.APPEND);

        assertThat(FolderStamp.of(folder)).isNotEqualTo(before);
    }

    @Test
    void changesWithAFileThatTakesAnothersPlace() throws IOException {
        Path weights = folder.resolve("model.safetensors");
        Path copy = Files.copy(weights, temp.resolve("copy"), StandardCopyOption.COPY_ATTRIBUTES);
        Files.move(copy, weights, StandardCopyOption.ATOMIC_MOVE);

        assertThat(FolderStamp.of(folder)).isNotEqualTo(before);
    }
}
