package io.layerskip.flink;

import io.layerskip.engine.EngineFailedException;
import io.layerskip.engine.GenerationFailure;
import io.layerskip.engine.RequestWatch;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.apache.flink.util.ExceptionUtils;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Which requests an engine works on, noted in a folder of this machine, and which were under way
 * when earlier processes ended or engines broke: a request that takes the process with it would
 * otherwise be given to the next one for ever.
 *
 * <p>A process that crashes or is killed cannot tidy up, so the notes of one that is no more are
 * still there, and those of an engine that broke are left on purpose. A request that stands in two
 * of them runs alone. From then on only what happens while it does is held against it, and at the
 * third time it is poison. A request that ends is forgiven.
 *
 * <p>Whatever goes wrong with the notes themselves is logged, and costs nothing but the notes.
 * Thread-safe.
 */
final class RequestNotes implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(RequestNotes.class);

    /** By key; of requests that have not ended since. */
    private final Map<String, Suspicion> suspicions;

    /** A process that is told to end does so in order, whether its tasks have the time or not. */
    private final Thread shutdownHook = new Thread(this::end, "layerskip-notes");

    private Optional<NotesFile> file;
    private boolean blamed;

    private RequestNotes(Map<String, Suspicion> suspicions, Optional<NotesFile> file) {
        this.suspicions = suspicions;
        this.file = file;
    }

    /**
     * Begins the notes of an engine, and reads what earlier ones have left.
     *
     * @param local a folder of this machine that others may write in, such as that for temporary
     *     files; empty to note nothing
     */
    static RequestNotes open(Optional<Path> local) {
        return local.map(folder -> open(folder, ProcessName.current()))
                .orElseGet(RequestNotes::none);
    }

    /** The same for an engine of any process. */
    static RequestNotes open(Path local, ProcessName process) {
        try {
            NotesFolder folder = NotesFolder.open(local);
            RequestNotes notes =
                    new RequestNotes(
                            folder.suspicions(),
                            Optional.of(new NotesFile(folder.newFile(process))));
            Runtime.getRuntime().addShutdownHook(notes.shutdownHook);
            return notes;
        } catch (IOException | RuntimeException e) {
            LOG.warn(
                    "Requests cannot be noted in {}; one that takes the process with it is tried again"
                            + " for ever: {}",
                    NotesFolder.in(local),
                    e.toString());
            return none();
        }
    }

    private static RequestNotes none() {
        return new RequestNotes(Map.of(), Optional.empty());
    }

    /**
     * Why a request is not to be tried any more, if so.
     *
     * @param key 64 hexadecimal digits, the same in every process
     */
    synchronized Optional<GenerationFailure> verdict(String key) {
        Suspicion suspicion = suspicions.get(key);
        if (suspicion == null || !suspicion.isPoison()) {
            return Optional.empty();
        }
        String reason =
                "%d times the process ended or the engine broke with this request under way, in the end with no other"
                        .formatted(suspicion.times());
        LOG.warn("Request {} is not tried again: {}", key, reason);
        return Optional.of(new GenerationFailure(GenerationFailure.Kind.POISON_REQUEST, reason));
    }

    /** Notes a request from when it begins until it has ended. */
    synchronized RequestWatch watch(String key) {
        Suspicion suspicion = suspicions.get(key);
        boolean alone = suspicion != null && suspicion.mustBeAlone();
        if (alone) {
            LOG.warn(
                    "Request {} runs alone: {} times the process ended or the engine broke with it"
                            + " under way",
                    key,
                    suspicion.times());
        }
        return new Watch(key, alone);
    }

    private final class Watch implements RequestWatch {

        private final String key;
        private final boolean alone;
        private OptionalInt slot = OptionalInt.empty();

        Watch(String key, boolean alone) {
            this.key = key;
            this.alone = alone;
        }

        @Override
        public boolean alone() {
            return alone;
        }

        @Override
        public void begun() {
            write(notes -> slot = notes.add(key, alone));
        }

        @Override
        public void ended() {
            write(
                    notes -> {
                        if (slot.isPresent()) {
                            notes.remove(slot.getAsInt());
                        }
                    });
            forgive(key);
        }
    }

    @FunctionalInterface
    private interface Writing {
        void write(NotesFile notes) throws IOException;
    }

    private synchronized void write(Writing writing) {
        if (file.isEmpty()) {
            return;
        }
        try {
            writing.write(file.get());
        } catch (IOException e) {
            LOG.warn("Requests are not noted any more: {}", e.toString());
            delete();
        }
    }

    private synchronized void forgive(String key) {
        // Mostly there is none at all, and the map of that case takes no removal.
        if (!suspicions.isEmpty()) {
            Optional.ofNullable(suspicions.remove(key)).ifPresent(Suspicion::forgive);
        }
    }

    /** Notes that a result came exceptionally: if a request may be to blame, the notes stay. */
    synchronized void failed(Throwable error) {
        blamed |=
                ExceptionUtils.stripCompletionException(error)
                                instanceof EngineFailedException engine
                        && engine.requestMayBeToBlame();
    }

    /** Ends the notes, which go unless a request may be to blame. Idempotent. */
    @Override
    public void close() {
        end();
        try {
            // It would keep the job's classes for as long as the process runs.
            Runtime.getRuntime().removeShutdownHook(shutdownHook);
        } catch (IllegalStateException e) {
            // The process ends, and has the hook run.
        }
    }

    private synchronized void end() {
        if (blamed) {
            write(NotesFile::setBroken);
            write(NotesFile::close);
            file = Optional.empty();
        } else {
            delete();
        }
    }

    private void delete() {
        try {
            if (file.isPresent()) {
                file.get().close();
                Files.deleteIfExists(file.get().path());
            }
        } catch (IOException e) {
            LOG.debug("Notes of requests stay until they are old", e);
        }
        file = Optional.empty();
    }
}
