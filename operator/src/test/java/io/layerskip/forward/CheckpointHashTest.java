package io.layerskip.forward;

import static org.assertj.core.api.Assertions.assertThat;

import io.layerskip.model.Checkpoint;
import io.layerskip.model.CheckpointWriter;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.EnumSet;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CheckpointHashTest {

    private static final Duration DEADLINE = Duration.ofSeconds(30);

    @TempDir Path temp;

    private final Set<LoadListener.Stage> stages = EnumSet.noneOf(LoadListener.Stage.class);
    private Path model;

    @BeforeEach
    void writeModel() {
        model = new CheckpointWriter(1).write(temp.resolve("model"));
    }

    @Test
    void isReadOnceAndRemembered() throws Exception {
        String first = hash();
        assertThat(stages).containsExactly(LoadListener.Stage.HASHING);

        waitUntilRemembered();

        assertThat(hash()).isEqualTo(first);
        assertThat(stages).isEmpty();
    }

    @Test
    void seesAChangeThatLeavesSizeAndTimeAndTheBeginningsOfTensors() throws Exception {
        waitUntilRemembered();
        String before = hash();
        Path file = model.resolve("model.safetensors");
        FileTime modified = Files.getLastModifiedTime(file);
        try (RandomAccessFile content = new RandomAccessFile(file.toFile(), "rw")) {
            // The last byte of the last tensor.
            content.seek(file.toFile().length() - 1);
            int last = content.read();
            content.seek(file.toFile().length() - 1);
            content.write(last ^ 1);
        }
        Files.setLastModifiedTime(file, modified);

        assertThat(hash()).isNotEqualTo(before);
    }

    @Test
    void seesAnotherFileInItsPlace() throws Exception {
        waitUntilRemembered();
        String before = hash();
        Path file = model.resolve("model.safetensors");
        FileTime modified = Files.getLastModifiedTime(file);
        Path other = new CheckpointWriter(2).write(temp.resolve("other"));
        Path replacement = other.resolve("model.safetensors");
        Files.setLastModifiedTime(replacement, modified);
        Files.delete(file);
        Files.move(replacement, file);

        assertThat(hash()).isNotEqualTo(before);
    }

    @Test
    void readsAgainWhereWhatIsRememberedIsNoHash() throws Exception {
        waitUntilRemembered();
        String before = hash();
        try (var files = Files.newDirectoryStream(temp.resolve("cache"), "*.checkpoint")) {
            for (Path file : files) {
                Files.write(file, new byte[] {(byte) 0xff, '\n', 0});
            }
        }

        assertThat(hash()).isEqualTo(before);
    }

    /** Files that were just written are not; how long, the file system's clock decides. */
    private void waitUntilRemembered() throws Exception {
        Instant deadline = Instant.now().plus(DEADLINE);
        do {
            assertThat(Instant.now()).isBefore(deadline);
            hash();
        } while (!stages.isEmpty());
    }

    private String hash() throws IOException {
        stages.clear();
        try (Checkpoint checkpoint = Checkpoint.open(model)) {
            return CheckpointHash.of(
                    checkpoint,
                    TrustedFolder.open(temp.resolve("cache")),
                    (stage, done, total) -> stages.add(stage));
        }
    }
}
