package io.layerskip.remote;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import io.layerskip.forward.LoadListener;
import io.layerskip.forward.LoadListener.Stage;
import io.layerskip.model.BundledModel;
import io.layerskip.model.Checkpoint;
import io.layerskip.model.CheckpointException;
import io.layerskip.model.CheckpointFiles;
import io.layerskip.model.CheckpointWriter;
import io.layerskip.model.ModelFolder;
import io.layerskip.model.ModelLocation;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.flink.core.fs.UnsupportedFileSystemSchemeException;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The address is one of Flink's file system for local files, which is asked like any other. */
final class RemoteModelTest {

    private static final String WEIGHTS = "model.safetensors";
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    @TempDir private Path temp;

    private Path remote;
    private Path cache;

    /** Begun fetches of weights. */
    private final AtomicInteger fetches = new AtomicInteger();

    /** Where each of them began, in bytes of the whole. */
    private final List<Long> beginnings = new ArrayList<>();

    @BeforeEach
    void makeFolders() throws IOException {
        remote = Files.createDirectory(temp.resolve("remote"));
        cache = temp.resolve("cache");
    }

    @Test
    void fetchesACheckpointThatCanBeOpened() throws IOException {
        Path written = new CheckpointWriter(1).shards(3).write(remote);

        Path folder = fetch();

        assertThat(folder).isNotEqualTo(written).hasParent(cache.resolve("models").toRealPath());
        try (Checkpoint fetched = Checkpoint.open(folder);
                Checkpoint original = Checkpoint.open(remote)) {
            assertThat(fetched.fingerprint()).isEqualTo(original.fingerprint());
            assertThat(fetched.tokenizerFingerprint()).isEqualTo(original.tokenizerFingerprint());
        }
    }

    @Test
    void fetchesNothingButTheFilesOfAModel() throws IOException {
        new CheckpointWriter(1).shards(2).write(remote);
        Files.writeString(remote.resolve("README.md"), "not needed");
        Files.writeString(remote.resolve("optimizer.safetensors"), "not needed");
        Files.createDirectory(remote.resolve("original"));

        assertThat(names(fetch()))
                .contains("config.json", "tokenizer.json", "model.safetensors.index.json")
                .isSubsetOf(names(remote))
                .doesNotContain("README.md", "optimizer.safetensors", "original");
    }

    @Test
    void takesWhatWasFetchedBefore() throws IOException {
        new CheckpointWriter(1).shards(2).write(remote);
        Path first = fetch();

        assertThat(fetch()).isEqualTo(first);
        assertThat(fetches).hasValue(1);
    }

    @Test
    void fetchesWhatHasChangedToAnotherFolder() throws IOException {
        new CheckpointWriter(1).write(remote);
        Path first = fetch();
        byte[] before = Files.readAllBytes(first.resolve(WEIGHTS));

        replaceModel();
        Path second = fetch();

        assertThat(second).isNotEqualTo(first);
        assertThat(first.resolve(WEIGHTS)).hasBinaryContent(before);
        assertThat(second.resolve(WEIGHTS)).hasSameBinaryContentAs(remote.resolve(WEIGHTS));
    }

    @Test
    void fetchesWhatLiesInOtherFilesNow() throws IOException {
        new CheckpointWriter(1).shards(3).write(remote);
        fetch();
        for (String name : names(remote)) {
            Files.delete(remote.resolve(name));
        }
        new CheckpointWriter(1).shards(2).write(remote);

        assertThat(names(fetch()))
                .contains("model-00002-of-00002.safetensors")
                .doesNotContain("model-00003-of-00003.safetensors");
    }

    @Test
    void forgetsAFileThatIsGoneFromTheAddress() throws IOException {
        copyBundledModel();
        Files.writeString(remote.resolve("generation_config.json"), "{\"max_new_tokens\": 0}");
        assertThatThrownBy(this::fetch).isInstanceOf(CheckpointException.class);

        Files.delete(remote.resolve("generation_config.json"));

        assertThat(names(fetch())).doesNotContain("generation_config.json");
    }

    @Test
    void keepsOneCopyOfWhatLiesAtTwoAddresses() throws IOException {
        new CheckpointWriter(1).write(remote);
        Path other = Files.createDirectory(temp.resolve("other"));
        new CheckpointWriter(1).write(other);

        assertThat(fetch(other, LoadListener.NONE)).isEqualTo(fetch());
        assertThat(names(cache.resolve("models"))).noneMatch(name -> name.endsWith(".partial"));
    }

    @Test
    void fetchesOnceForAllWhoComeAtTheSameTime() throws IOException {
        copyBundledModel();

        List<CompletableFuture<Path>> users =
                IntStream.range(0, 4)
                        .mapToObj(i -> CompletableFuture.supplyAsync(this::fetchUnchecked))
                        .toList();

        assertThat(users.stream().map(CompletableFuture::join).distinct()).hasSize(1);
        assertThat(fetches).hasValue(1);
    }

    @Test
    void goesOnWhereAnInterruptedFetchEnded() throws IOException {
        copyBundledModel();
        interruptAfter(12 << 20);

        Path folder = fetch();

        assertThat(beginnings.get(1)).isBetween(8L << 20, 13L << 20);
        assertThat(folder.resolve(WEIGHTS)).hasSameBinaryContentAs(remote.resolve(WEIGHTS));
    }

    @Test
    void startsAgainWithAFileThatHasChangedMeanwhile() throws IOException {
        copyBundledModel();
        interruptAfter(12 << 20);
        touch(remote.resolve(WEIGHTS));

        Path folder = fetch();

        assertThat(beginnings.get(1)).isLessThan(1 << 20);
        assertThat(folder.resolve(WEIGHTS)).hasSameBinaryContentAs(remote.resolve(WEIGHTS));
    }

    @Test
    void fetchesAgainWhatChangesWhileItIsFetched() throws IOException {
        new CheckpointWriter(1).write(remote);
        AtomicInteger changes = new AtomicInteger();

        Path folder =
                fetch(
                        remote,
                        (stage, done, total) -> {
                            if (stage == Stage.FETCHING && done == total) {
                                changeOnce(changes);
                            }
                        });

        assertThat(folder.resolve(WEIGHTS)).hasSameBinaryContentAs(remote.resolve(WEIGHTS));
        assertThat(changes).hasValueGreaterThan(1);
    }

    private void changeOnce(AtomicInteger changes) {
        if (changes.getAndIncrement() == 0) {
            replaceModel();
        }
    }

    @Test
    void refusesWhatChangesForEver() throws IOException {
        new CheckpointWriter(1).write(remote);
        AtomicInteger seconds = new AtomicInteger();

        assertThatThrownBy(
                        () ->
                                fetch(
                                        remote,
                                        (stage, done, total) ->
                                                touch(
                                                        remote.resolve("config.json"),
                                                        seconds.incrementAndGet())))
                .isInstanceOf(CheckpointException.class)
                .hasMessageContaining("changed 3 times while it was fetched");
    }

    @Test
    void fetchesAgainWhatWasDamaged() throws IOException {
        new CheckpointWriter(1).write(remote);
        Path folder = fetch();
        Files.write(folder.resolve(WEIGHTS), new byte[100]);

        assertThat(fetch()).isEqualTo(folder);
        assertThat(folder.resolve(WEIGHTS)).hasSameBinaryContentAs(remote.resolve(WEIGHTS));
    }

    @Test
    void fetchesAgainWhatOthersMayHaveWritten() throws IOException {
        new CheckpointWriter(1).write(remote);
        Path weights = fetch().resolve(WEIGHTS);
        Files.setPosixFilePermissions(weights, PosixFilePermissions.fromString("rw-rw-rw-"));

        fetch();

        assertThat(Files.getPosixFilePermissions(weights))
                .isEqualTo(PosixFilePermissions.fromString("rw-r--r--"));
        assertThat(fetches).hasValue(2);
    }

    @Test
    void takesWhatWasFetchedBeforeWithoutItsNotes() throws IOException {
        new CheckpointWriter(1).write(remote);
        Path folder = fetch();
        Files.writeString(notes("*.files").get(0), "damaged");

        assertThat(fetch()).isEqualTo(folder);
        assertThat(fetches).hasValue(1);
    }

    @Test
    void refusesACacheFolderThatOthersMayWrite() throws IOException {
        new CheckpointWriter(1).write(remote);
        Files.createDirectory(cache);
        Files.setPosixFilePermissions(cache, PosixFilePermissions.fromString("rwxrwxrwx"));

        assertThatThrownBy(this::fetch)
                .isInstanceOf(IOException.class)
                .hasMessageContaining("only its owner may write");
    }

    @Test
    void deletesWhatWasReplacedAndNotUsedForAWeek() throws IOException {
        new CheckpointWriter(1).write(remote);
        Path first = fetch();
        age(notes("*.files").get(0));
        replaceModel();

        Path second = fetch();

        assertThat(first).doesNotExist();
        assertThat(second).exists();
        assertThat(notes("*.files")).hasSize(1);
    }

    @Test
    void keepsWhatAnAddressLeadsToHoweverOld() throws IOException {
        new CheckpointWriter(1).write(remote);
        Path first = fetch();
        age(notes("*.files").get(0));
        Path other = Files.createDirectory(temp.resolve("other"));
        new CheckpointWriter(2).write(other);

        fetch(other, LoadListener.NONE);

        assertThat(first).exists();
    }

    @Test
    void deletesWhatWasLeftUnfinishedForAWeek() throws IOException {
        copyBundledModel();
        interruptAfter(12 << 20);
        age(notes("*.progress").get(0));
        Path other = Files.createDirectory(temp.resolve("other"));
        new CheckpointWriter(2).write(other);

        fetch(other, LoadListener.NONE);

        assertThat(notes("*.{progress,partial}")).isEmpty();
    }

    @Test
    void namesAFileThatIsMissing() throws IOException {
        new CheckpointWriter(1).shards(2).write(remote);
        String shard = "model-00002-of-00002.safetensors";
        Files.delete(remote.resolve(shard));

        assertThatThrownBy(this::fetch)
                .isInstanceOf(CheckpointException.class)
                .hasMessage("%s is missing from %s", shard, address(remote));
        Files.delete(remote.resolve("config.json"));
        assertThatThrownBy(this::fetch)
                .isInstanceOf(CheckpointException.class)
                .hasMessage("config.json is missing from %s", address(remote))
                .hasCauseInstanceOf(NoSuchFileException.class);
    }

    @Test
    void refusesAFileThatIsTooLargeBeforeItIsFetched() throws IOException {
        new CheckpointWriter(1).write(remote);
        Files.write(remote.resolve("config.json"), new byte[(1 << 20) + 1]);

        assertThatThrownBy(this::fetch)
                .isInstanceOf(CheckpointException.class)
                .hasMessageContaining("config.json has 1048577 bytes, more than 1048576");
    }

    @Test
    void refusesAModelThatIsNotServedBeforeItsWeightsAreFetched() throws IOException {
        new CheckpointWriter(1).config("model_type", "gpt2").write(remote);

        assertThatThrownBy(this::fetch)
                .isInstanceOf(CheckpointException.class)
                .hasMessageContaining("model_type");
        assertThat(fetches).hasValue(0);
    }

    @Test
    void refusesAnIndexThatNamesFilesElsewhere() throws IOException {
        new CheckpointWriter(1).shards(2).write(remote);
        Files.writeString(
                remote.resolve(CheckpointFiles.INDEX.name()),
                "{\"weight_map\": {\"model.norm.weight\": \"../../secret.safetensors\"}}");

        assertThatThrownBy(this::fetch)
                .isInstanceOf(CheckpointException.class)
                .hasMessageContaining("the name of a .safetensors file in the folder");
    }

    @Test
    void refusesASchemeWithoutAFileSystem() {
        assertThatThrownBy(
                        () ->
                                RemoteModel.fetch(
                                        new ModelLocation("nowhere://bucket/model"),
                                        cache,
                                        LoadListener.NONE))
                .isInstanceOf(UnsupportedFileSystemSchemeException.class);
    }

    @Test
    void peeksAtWhatIsSmall() throws IOException {
        new CheckpointWriter(1).write(remote);

        try (ModelFolder peeked = RemoteModel.peek(address(remote), PATIENCE)) {
            assertThat(names(peeked.path()))
                    .contains("config.json")
                    .doesNotContain("tokenizer.json", WEIGHTS);
            assertThat(peeked.path().resolve("config.json"))
                    .hasSameBinaryContentAs(remote.resolve("config.json"));
        }
    }

    @Test
    void saysHowMuchRoomIsMissingBeforeWeightsAreFetched() throws IOException {
        copyBundledModel();
        try (SmallDisk disk = SmallDisk.mount(temp, 12)) {
            cache = disk.folder().resolve("cache");

            assertThatThrownBy(this::fetch)
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("fetching " + address(remote) + " needs 17 MB more in ")
                    .hasMessageContaining("MB are left there");
            assertThat(fetches).hasValue(0);
        }
    }

    @Test
    void saysThatTheDiskGotFullAndGoesOnWhenThereIsRoom() throws IOException {
        copyBundledModel();
        try (SmallDisk disk = SmallDisk.mount(temp, 24)) {
            cache = disk.folder().resolve("cache");
            Path other = disk.folder().resolve("other");

            assertThatThrownBy(
                            () ->
                                    fetch(
                                            remote,
                                            (stage, done, total) -> {
                                                if (stage == Stage.FETCHING) {
                                                    write(other, 10 << 20);
                                                }
                                            }))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("model.safetensors cannot be written")
                    .hasMessageContaining("No space left on device");

            Files.delete(other);
            assertThat(fetch().resolve(WEIGHTS)).hasSameBinaryContentAs(remote.resolve(WEIGHTS));
            assertThat(beginnings.get(1)).isGreaterThanOrEqualTo(8 << 20);
        }
    }

    /** A file system of its own, in memory. */
    private record SmallDisk(Path folder) implements AutoCloseable {

        static SmallDisk mount(Path temp, int megabytes) throws IOException {
            Path folder = Files.createDirectory(temp.resolve("disk"));
            assumeThat(
                            run(
                                    "mount",
                                    "-t",
                                    "tmpfs",
                                    "-o",
                                    "size=" + megabytes + "m",
                                    "tmpfs",
                                    folder))
                    .as("a tmpfs can be mounted, which takes root")
                    .isZero();
            return new SmallDisk(folder);
        }

        private static int run(Object... command) throws IOException {
            Process process =
                    new ProcessBuilder(Stream.of(command).map(Object::toString).toList())
                            .redirectErrorStream(true)
                            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                            .start();
            return process.onExit().orTimeout(10, TimeUnit.SECONDS).join().exitValue();
        }

        @Override
        public void close() throws IOException {
            assertThat(run("umount", folder)).isZero();
        }
    }

    private static void write(Path file, int bytes) {
        try {
            if (!Files.exists(file)) {
                Files.write(file, new byte[bytes]);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private Path fetch() throws IOException {
        return fetch(remote, LoadListener.NONE);
    }

    private Path fetch(Path from, LoadListener listener) throws IOException {
        long[] last = {-1};
        return RemoteModel.fetch(
                address(from),
                cache,
                (stage, done, total) -> {
                    if (stage == Stage.FETCHING) {
                        if (done == 0) {
                            fetches.incrementAndGet();
                        } else if (last[0] == 0) {
                            beginnings.add(done);
                        }
                        last[0] = done;
                    }
                    listener.onProgress(stage, done, total);
                });
    }

    private Path fetchUnchecked() {
        try {
            return fetch();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void interruptAfter(long bytes) {
        Thread caller = Thread.currentThread();
        assertThatThrownBy(
                        () ->
                                fetch(
                                        remote,
                                        (stage, done, total) -> {
                                            if (stage == Stage.FETCHING && done >= bytes) {
                                                caller.interrupt();
                                            }
                                        }))
                .isInstanceOf(InterruptedIOException.class);
        assertThat(Thread.interrupted()).as("still interrupted").isTrue();
    }

    private void replaceModel() {
        try {
            Files.delete(remote.resolve("tokenizer.json"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        new CheckpointWriter(2).write(remote);
        touch(remote.resolve(WEIGHTS));
    }

    private void copyBundledModel() throws IOException {
        for (String name : names(BundledModel.folder())) {
            Files.copy(BundledModel.folder().resolve(name), remote.resolve(name));
        }
    }

    private static ModelLocation address(Path folder) {
        return new ModelLocation(folder.toUri().toString());
    }

    private List<Path> notes(String glob) throws IOException {
        List<Path> found = new ArrayList<>();
        try (var notes = Files.newDirectoryStream(cache.resolve("models"), glob)) {
            notes.forEach(found::add);
        }
        return found;
    }

    /** Makes a file older than anything is kept. */
    private static void age(Path file) throws IOException {
        Instant old = Instant.now().minus(ModelStore.KEPT).minusSeconds(60);
        Files.setLastModifiedTime(file, FileTime.from(old));
    }

    /** What was just written again has another time, also where the clock is coarse. */
    private static void touch(Path file) {
        touch(file, 5);
    }

    private static void touch(Path file, int seconds) {
        try {
            Files.setLastModifiedTime(file, FileTime.from(Instant.now().plusSeconds(seconds)));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static List<String> names(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).toList();
        }
    }
}
