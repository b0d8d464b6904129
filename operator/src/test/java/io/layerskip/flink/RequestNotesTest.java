package io.layerskip.flink;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.layerskip.engine.EngineSettings;
import io.layerskip.engine.GenerationEngine;
import io.layerskip.engine.GenerationFailure;
import io.layerskip.engine.GenerationParameters;
import io.layerskip.engine.GenerationRequest;
import io.layerskip.engine.RequestWatch;
import io.layerskip.model.BundledModel;
import io.layerskip.model.Checkpoint;
import io.layerskip.model.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
final class RequestNotesTest {

    private static final String POISON = key("poison");
    private static final String OTHER = key("other");
    private static final int KILLED = 137;

    private static Process living;
    private static ProcessName dead;

    @TempDir Path local;

    /** Begins all of the keys, and ends, in order or as one that is killed. */
    static final class Ending {
        public static void main(String[] arguments) {
            RequestNotes notes = RequestNotes.open(Optional.of(Path.of(arguments[0])));
            for (int i = 2; i < arguments.length; i++) {
                notes.watch(arguments[i]).begun();
            }
            if (arguments[1].equals("killed")) {
                Runtime.getRuntime().halt(KILLED);
            }
            System.exit(0);
        }
    }

    @BeforeAll
    static void startProcesses() throws Exception {
        living = new ProcessBuilder("sleep", "600").start();
        Process shortLived = new ProcessBuilder("sleep", "600").start();
        dead = name(shortLived.toHandle());
        shortLived.destroyForcibly().waitFor();
    }

    @AfterAll
    static void endProcess() {
        living.destroyForcibly();
    }

    private static ProcessName name(ProcessHandle process) {
        return new ProcessName(
                process.pid(), process.info().startInstant().map(Instant::toEpochMilli).orElse(0L));
    }

    @Test
    void aRequestIsTriedTwiceAsAnyOtherThenAloneThenNoMore() {
        for (int death = 0; death < 3; death++) {
            try (RequestNotes notes = notes()) {
                assertThat(notes.verdict(POISON)).isEmpty();
                assertThat(notes.watch(POISON).alone()).isEqualTo(death == 2);
            }
            die(POISON);
        }

        try (RequestNotes notes = notes()) {
            assertThat(notes.verdict(POISON))
                    .contains(
                            new GenerationFailure(
                                    GenerationFailure.Kind.POISON_REQUEST,
                                    "3 times the process ended or the engine broke with this request"
                                            + " under way, in the end with no other"));
            assertThat(notes.verdict(OTHER)).isEmpty();
        }
    }

    /** The completion of the verdict may yet be lost, and then the request comes again. */
    @Test
    void aVerdictStands() {
        die(POISON);
        die(POISON);
        die(POISON);

        for (int i = 0; i < 3; i++) {
            try (RequestNotes notes = notes()) {
                assertThat(notes.verdict(POISON)).isPresent();
            }
        }
    }

    @Test
    void whatARealProcessHadBegunIsFoundWhenItWasKilled() throws Exception {
        for (int i = 0; i < 2; i++) {
            assertThat(runProcess("killed", POISON, OTHER)).isEqualTo(KILLED);
        }

        try (RequestNotes notes = notes()) {
            assertThat(notes.watch(POISON).alone()).isTrue();
            assertThat(notes.watch(OTHER).alone()).isTrue();
            assertThat(notes.watch(key("third")).alone()).isFalse();
        }
    }

    @Test
    void nothingIsLeftOfAProcessThatWasToldToEnd() throws Exception {
        assertThat(runProcess("ended", POISON)).isZero();

        assertThat(files()).isEmpty();
    }

    private int runProcess(String end, String... keys) throws Exception {
        List<String> command =
                new ArrayList<>(
                        List.of(
                                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                                "-cp",
                                System.getProperty(
                                        "surefire.test.class.path",
                                        System.getProperty("java.class.path")),
                                Ending.class.getName(),
                                local.toString(),
                                end));
        command.addAll(List.of(keys));
        return new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start()
                .waitFor();
    }

    @Test
    void nothingIsHeldAgainstThoseThatWaitedBesideOneThatWasAlone() {
        die(POISON, OTHER);
        die(POISON, OTHER);
        // OTHER was prepared, and waited.
        NotesLeft.by(local, dead, List.of(OTHER), List.of(POISON));

        try (RequestNotes notes = notes()) {
            assertThat(notes.verdict(POISON)).isPresent();
            assertThat(notes.verdict(OTHER)).isEmpty();
            assertThat(notes.watch(OTHER).alone()).isTrue();
        }
    }

    /** Writes notes as an engine would whose suspicions are other ones. */
    private static final class NotesLeft {
        static void by(Path local, ProcessName process, List<String> together, List<String> alone) {
            try {
                NotesFile file = new NotesFile(NotesFolder.open(local).newFile(process));
                for (String key : together) {
                    file.add(key, false);
                }
                for (String key : alone) {
                    file.add(key, true);
                }
                file.close();
            } catch (IOException e) {
                throw new AssertionError(e);
            }
        }
    }

    @Test
    void aRequestIsNoPoisonBeforeItWasAlone() {
        for (int i = 0; i < 5; i++) {
            NotesLeft.by(local, new ProcessName(dead.pid(), i), List.of(POISON), List.of());
        }

        try (RequestNotes notes = notes()) {
            assertThat(notes.verdict(POISON)).isEmpty();
            assertThat(notes.watch(POISON).alone()).isTrue();
        }
    }

    @Test
    void enginesOfOneProcessDieOnce() {
        NotesLeft.by(local, dead, List.of(POISON), List.of());
        NotesLeft.by(local, dead, List.of(POISON), List.of());

        try (RequestNotes notes = notes()) {
            assertThat(notes.watch(POISON).alone()).isFalse();
        }
    }

    @Test
    void aRequestThatEndsIsForgiven() {
        die(POISON);
        die(POISON);
        try (RequestNotes notes = notes()) {
            RequestWatch watch = notes.watch(POISON);
            assertThat(watch.alone()).isTrue();
            watch.begun();
            watch.ended();
        }

        try (RequestNotes notes = notes()) {
            assertThat(notes.watch(POISON).alone()).isFalse();
        }
        assertThat(files()).isEmpty();
    }

    @Test
    void nothingIsLeftOfAnEngineThatIsClosedInOrder() {
        try (RequestNotes notes = notes()) {
            notes.watch(POISON).begun();
            assertThat(files()).hasSize(1);
        }

        assertThat(files()).isEmpty();
    }

    @Test
    void anEngineThatBrokeIsHeldAgainstItsRequestsThoughItsProcessLives() throws Exception {
        Throwable failure = engineFailure();
        for (int i = 0; i < 2; i++) {
            try (RequestNotes notes = notes()) {
                notes.watch(POISON).begun();
                RequestWatch ended = notes.watch(OTHER);
                ended.begun();
                ended.ended();
                notes.failed(failure);
            }
        }

        try (RequestNotes notes = notes()) {
            assertThat(notes.watch(POISON).alone()).isTrue();
            assertThat(notes.watch(OTHER).alone()).isFalse();
        }
    }

    @Test
    void whatALivingProcessHasUnderWayIsItsOwn() {
        for (int i = 0; i < 3; i++) {
            NotesLeft.by(local, name(living.toHandle()), List.of(POISON), List.of(POISON));
            NotesLeft.by(local, ProcessName.current(), List.of(POISON), List.of(POISON));
        }

        try (RequestNotes notes = notes()) {
            assertThat(notes.verdict(POISON)).isEmpty();
            assertThat(notes.watch(POISON).alone()).isFalse();
        }
    }

    @Test
    void aProcessThatHasTheIdOfADeadOneIsAnotherOne() {
        ProcessName current = ProcessName.current();
        ProcessName other = name(living.toHandle());

        assertThat(current.isDead()).isFalse();
        assertThat(new ProcessName(current.pid(), current.startMillis() - 10).isDead()).isTrue();
        assertThat(other.isDead()).isFalse();
        assertThat(new ProcessName(other.pid(), other.startMillis() - 60_000).isDead()).isTrue();
        assertThat(dead.isDead()).isTrue();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "LSNOTES",
                "no notes of ours",
                "LSNOTES1\u0007",
                "LSNOTES1\u0000\u0009 a slot in a state that there is none of...."
            })
    void aDamagedFileIsIgnored(String content) throws Exception {
        die(POISON);
        die(POISON);
        Files.writeString(NotesFolder.open(local).newFile(dead), content);

        try (RequestNotes notes = notes()) {
            assertThat(notes.watch(POISON).alone()).isTrue();
            assertThat(notes.watch(OTHER).alone()).isFalse();
        }
    }

    @Test
    void aFileThatIsTooLargeIsNotRead() throws Exception {
        Files.write(NotesFolder.open(local).newFile(dead), new byte[1 << 20]);

        try (RequestNotes notes = notes()) {
            assertThat(notes.watch(POISON).alone()).isFalse();
        }
    }

    @Test
    void notesAreForgottenAfterADay() throws Exception {
        die(POISON);
        die(POISON);
        FileTime old = FileTime.from(Instant.now().minus(Duration.ofHours(25)));
        for (Path file : files()) {
            Files.setLastModifiedTime(file, old);
        }

        try (RequestNotes notes = notes()) {
            assertThat(notes.watch(POISON).alone()).isFalse();
            assertThat(files()).hasSize(1);
        }
    }

    @Test
    void onlySoManyFilesAreKept() {
        for (int i = 0; i < 100; i++) {
            NotesLeft.by(local, new ProcessName(dead.pid(), i), List.of(POISON), List.of());
        }

        notes().close();

        assertThat(files()).hasSize(64);
    }

    @Test
    void requestsBeyondTheFilesSlotsAreNotNoted() {
        RequestNotes notes = RequestNotes.open(local, dead);
        for (int i = 0; i < NotesFile.MOST_SLOTS; i++) {
            notes.watch(key("" + i)).begun();
        }
        RequestWatch beyond = notes.watch(POISON);
        beyond.begun();
        beyond.ended();

        // What is noted of the others is a file that can be read.
        try (RequestNotes after = notes()) {
            assertThat(after.watch(POISON).alone()).isFalse();
        }
        assertThat(files()).hasSize(1);
    }

    @Test
    void aFolderThatOthersMayWriteInIsNotUsed() throws Exception {
        Path folder = NotesFolder.in(local);
        assumeTrue(
                folder.getFileSystem().supportedFileAttributeViews().contains("posix"),
                "needs POSIX permissions");
        die(POISON);
        die(POISON);
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxrwxrwx"));

        try (RequestNotes notes = notes()) {
            assertThat(notes.watch(POISON).alone()).isFalse();
            notes.watch(POISON).begun();
            assertThat(files()).hasSize(2);
        }
    }

    @Test
    void withoutALocalFolderNothingIsNoted() {
        try (RequestNotes notes = RequestNotes.open(Optional.empty())) {
            RequestWatch watch = notes.watch(POISON);
            watch.begun();
            watch.ended();
            assertThat(notes.verdict(POISON)).isEmpty();
        }
        try (RequestNotes notes = RequestNotes.open(Optional.of(local.resolve("missing")))) {
            notes.watch(POISON).begun();
        }
    }

    /** A real one, of a pass that took too long. */
    private static Throwable engineFailure() throws Exception {
        EngineSettings settings =
                EngineSettings.builder(1).passTimeout(Duration.ofMillis(1)).build();
        GenerationRequest request =
                new GenerationRequest(
                        "1",
                        "banking: " + "I lost my card ".repeat(60),
                        GenerationParameters.DEFAULTS);
        try (Checkpoint checkpoint = Checkpoint.open(BundledModel.folder())) {
            GenerationEngine engine = GenerationEngine.open(checkpoint, settings);
            Throwable failure =
                    engine.submit(request).result().handle((result, error) -> error).join();
            engine.close();
            CountDownLatch freed = new CountDownLatch(1);
            engine.whenFreed(freed::countDown);
            freed.await();
            return failure;
        }
    }

    /** A process with these requests under way is killed. */
    private void die(String... keys) {
        // It is never closed: a process that is killed does not do that either.
        RequestNotes notes = RequestNotes.open(local, dead);
        for (String key : keys) {
            notes.watch(key).begun();
        }
        // The next one is another process.
        dead = new ProcessName(dead.pid(), dead.startMillis() - 60_000);
    }

    private RequestNotes notes() {
        return RequestNotes.open(Optional.of(local));
    }

    private List<Path> files() {
        try (Stream<Path> files = Files.list(NotesFolder.in(local))) {
            return files.toList();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static String key(String text) {
        return new Sha256().update(text).hex();
    }
}
