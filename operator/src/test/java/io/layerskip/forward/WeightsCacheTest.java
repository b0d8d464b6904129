package io.layerskip.forward;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.layerskip.forward.LoadListener.Stage;
import io.layerskip.model.Checkpoint;
import io.layerskip.model.CheckpointWriter;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipal;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WeightsCacheTest {

    private static final String ROOT = "root";

    @TempDir Path temp;

    private Path model;
    private Path cache;

    @BeforeEach
    void writeModel() {
        model = new CheckpointWriter(1).write(temp.resolve("model"));
        cache = temp.resolve("new").resolve("cache");
    }

    @Test
    void keepsAFileForEachModelAndPrecisionAndUsesItAgain() throws Exception {
        Path other = new CheckpointWriter(2).write(temp.resolve("other"));
        Path made = find(model, Precision.INT8);
        Object identity = Files.readAttributes(made, "fileKey").get("fileKey");

        assertThat(find(model, Precision.INT8)).isEqualTo(made);
        assertThat(Files.readAttributes(made, "fileKey")).containsEntry("fileKey", identity);
        assertThat(find(model, Precision.INT4)).isNotEqualTo(made);
        assertThat(find(other, Precision.INT8)).isNotEqualTo(made);
        assertThat(weights()).hasSize(3);
    }

    @Test
    void aCopyOfTheModelFindsTheSameFile() throws Exception {
        Path copy = new CheckpointWriter(1).write(temp.resolve("copy"));

        assertThat(find(copy, Precision.INT8)).isEqualTo(find(model, Precision.INT8));
    }

    @Test
    void makesAFileAgainThatIsNotWhole() throws Exception {
        Path made = find(model, Precision.INT8);
        byte[] whole = Files.readAllBytes(made);
        Files.write(made, new byte[whole.length - 1]);

        find(model, Precision.INT8);

        assertThat(made).hasBinaryContent(whole);
    }

    @Test
    void makesAFileAgainOfWhichAByteChanged() throws Exception {
        Path made = find(model, Precision.INT8);
        byte[] whole = Files.readAllBytes(made);
        byte[] damaged = whole.clone();
        damaged[damaged.length / 2] ^= 1;
        Files.write(made, damaged);

        find(model, Precision.INT8);

        assertThat(made).hasBinaryContent(whole);
    }

    @Test
    void makesAFileAgainThatOthersMayWrite() throws Exception {
        Path made = find(model, Precision.INT8);
        Files.setPosixFilePermissions(made, PosixFilePermissions.fromString("rw-rw-r--"));

        find(model, Precision.INT8);

        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(made)))
                .isEqualTo("rw-------");
    }

    @Test
    void makesAFileAgainThatBelongsToAnotherUser() throws Exception {
        UserPrincipal user = Files.getOwner(temp);
        assumeTrue(user.getName().equals(ROOT), "only root can give a file away");
        Path made = find(model, Precision.INT8);
        Files.setAttribute(made, "unix:uid", 65534);

        find(model, Precision.INT8);

        assertThat(Files.getOwner(made)).isEqualTo(user);
    }

    @Test
    void refusesAFolderThatOthersMayWrite() throws Exception {
        Files.createDirectories(cache);
        Files.setPosixFilePermissions(cache, PosixFilePermissions.fromString("rwxrwxrwx"));

        assertThatThrownBy(() -> find(model, Precision.INT8))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(cache.toString())
                .hasMessageContaining("rwxrwxrwx; allowed: a folder of");
    }

    @Test
    void deletesWhatAProcessThatEndedDidNotFinish() throws Exception {
        Files.createDirectories(cache);
        Path left = Files.write(cache.resolve("abc-INT8-1.weights-123.tmp"), new byte[100]);

        find(model, Precision.INT8);

        assertThat(left).doesNotExist();
    }

    @Test
    void saysHowMuchRoomIsNeededAndFree() throws Exception {
        Files.createDirectories(cache);
        assumeTrue(
                run("mount", "-t", "tmpfs", "-o", "size=64k,mode=755", "tmpfs", cache) == 0,
                "only root can mount a small file system");
        try {
            long needed;
            try (Checkpoint checkpoint = Checkpoint.open(model)) {
                needed =
                        WeightsChecksum.fileLength(
                                QuantizedWeights.bytes(checkpoint.config(), Precision.INT8));
            }
            assertThatThrownBy(() -> find(model, Precision.INT8))
                    .isInstanceOf(IOException.class)
                    .hasMessageMatching(
                            ".* written to %s: they take %d bytes, and \\d{5} are free: .*"
                                    .formatted(cache, needed));
            try (Stream<Path> files = Files.list(cache)) {
                assertThat(files).noneMatch(file -> file.toString().endsWith(".tmp"));
            }
        } finally {
            run("umount", cache);
        }
    }

    @Test
    void threadsThatStartTogetherConvertOnce() throws Exception {
        List<Stage> stages = new ArrayList<>();
        LoadListener listener =
                (stage, done, total) -> {
                    if (done == 0) {
                        synchronized (stages) {
                            stages.add(stage);
                        }
                    }
                };
        ExecutorService slots = Executors.newFixedThreadPool(4);
        try {
            Callable<Path> slot = () -> find(model, Precision.INT8, listener);
            for (Future<Path> found : slots.invokeAll(List.of(slot, slot, slot, slot))) {
                assertThat(found.get()).isNotEmptyFile();
            }
        } finally {
            slots.shutdownNow();
        }
        assertThat(stages).containsOnlyOnce(Stage.CONVERTING);
    }

    @Test
    void processesThatStartTogetherConvertOnce() throws Exception {
        List<Process> processes = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            processes.add(OtherJvm.start(Slot.class, model, cache));
        }
        int converted = 0;
        for (Process process : processes) {
            converted += OtherJvm.lines(process).contains(Stage.CONVERTING.name()) ? 1 : 0;
            assertThat(process.waitFor()).isZero();
        }
        assertThat(converted).isEqualTo(1);
    }

    /** Finds a model's weights, and prints the stages that began. */
    static final class Slot {

        private Slot() {}

        public static void main(String[] folders) throws IOException {
            try (Checkpoint checkpoint = Checkpoint.open(Path.of(folders[0]))) {
                QuantizedWeights.open(
                                checkpoint,
                                Precision.INT8,
                                Optional.of(Path.of(folders[1])),
                                (stage, done, total) -> {
                                    if (done == 0) {
                                        System.out.println(stage);
                                    }
                                })
                        .close();
            }
        }
    }

    @Test
    void aWaitingThreadCanBeInterrupted() throws Exception {
        Files.createDirectories(cache);
        ProcessLock lock = ProcessLock.acquire(cache.resolve("lock"), () -> {});
        try (lock) {
            assertThatThrownBy(() -> find(model, Precision.INT8, Interruption.at(Stage.WAITING)))
                    .isInstanceOf(InterruptedIOException.class);
        }
        assertThat(Thread.interrupted()).isTrue();
    }

    @Test
    void aConversionCanBeInterruptedAndLeavesNothing() throws Exception {
        assertThatThrownBy(() -> find(model, Precision.INT8, Interruption.at(Stage.CONVERTING)))
                .isInstanceOf(InterruptedIOException.class);

        assertThat(Thread.interrupted()).isTrue();
        assertThat(weights()).isEmpty();
        find(model, Precision.INT8);
        assertThat(weights()).hasSize(1);
    }

    private Path find(Path model, Precision precision) throws IOException {
        return find(model, precision, LoadListener.NONE);
    }

    private Path find(Path model, Precision precision, LoadListener listener) throws IOException {
        try (Checkpoint checkpoint = Checkpoint.open(model)) {
            return WeightsCache.find(
                    cache,
                    checkpoint,
                    precision,
                    WeightsLayout.of(checkpoint.config(), precision),
                    listener);
        }
    }

    /** Finished and unfinished. */
    private List<Path> weights() throws IOException {
        try (Stream<Path> files = Files.list(cache)) {
            return files.filter(file -> file.toString().contains(".weights")).toList();
        }
    }

    private static int run(Object... command) throws Exception {
        return new ProcessBuilder(Stream.of(command).map(Object::toString).toList())
                .start()
                .waitFor();
    }
}
