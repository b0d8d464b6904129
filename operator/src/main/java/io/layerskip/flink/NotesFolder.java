package io.layerskip.flink;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The notes of all engines of this machine's user.
 *
 * <pre>
 *   flink-layerskip-requests-USER/
 *     PID-START-NUMBER.notes         of one engine each; see {@link NotesFile}
 * </pre>
 *
 * <p>What stands there makes requests fail, so nobody else may write there. Files go when their
 * engine is closed in order, when nothing is left in those of a dead process, and after a day; of
 * more than {@value #MOST_FILES}, the oldest.
 *
 * @param path which exists
 */
record NotesFolder(Path path) {

    private static final Logger LOG = LoggerFactory.getLogger(NotesFolder.class);

    private static final String NAME = "flink-layerskip-requests-";
    private static final Pattern FILE = Pattern.compile("(\\d{1,18})-(\\d{1,18})-[\\w-]+\\.notes");
    private static final int MOST_FILES = 64;
    private static final Duration KEPT = Duration.ofDays(1);

    private static final Set<PosixFilePermission> OWNER_ONLY =
            PosixFilePermissions.fromString("rwx------");

    private static final Set<PosixFilePermission> OTHERS_WRITE =
            Set.of(PosixFilePermission.GROUP_WRITE, PosixFilePermission.OTHERS_WRITE);

    /**
     * The end of a process or of an engine that broke.
     *
     * @param engine the file of an engine that broke
     */
    private record Event(ProcessName process, Optional<Path> engine) {}

    private record Found(Path file, NotesFile.Note note) {}

    /**
     * Where the notes lie in a folder that others may write in, such as that for temporary files.
     */
    static Path in(Path local) {
        String user = System.getProperty("user.name", "").replaceAll("[^\\w.-]", "_");
        return local.resolve(NAME + user);
    }

    /**
     * Opens the folder, which is made where there is none.
     *
     * @param local a folder of this machine that others may write in
     * @throws IOException if it cannot be made, or others may have written in it
     */
    static NotesFolder open(Path local) throws IOException {
        Path path = in(local);
        boolean posix = path.getFileSystem().supportedFileAttributeViews().contains("posix");
        FileAttribute<?>[] attributes =
                posix
                        ? new FileAttribute<?>[] {PosixFilePermissions.asFileAttribute(OWNER_ONLY)}
                        : new FileAttribute<?>[0];
        try {
            Files.createDirectory(path, attributes);
        } catch (FileAlreadyExistsException e) {
            // By an earlier engine, or one that opens right now.
        }
        NotesFolder folder = new NotesFolder(path);
        if (posix) {
            folder.requireOwn();
        }
        return folder;
    }

    private void requireOwn() throws IOException {
        Path probe = Files.createTempFile(path, "owner", ".tmp");
        try {
            Set<PosixFilePermission> permissions =
                    Files.getPosixFilePermissions(path, LinkOption.NOFOLLOW_LINKS);
            if (!Files.getOwner(path, LinkOption.NOFOLLOW_LINKS).equals(Files.getOwner(probe))
                    || !Collections.disjoint(permissions, OTHERS_WRITE)) {
                throw new IOException("it belongs to another user, or others may write in it");
            }
        } finally {
            Files.delete(probe);
        }
    }

    /** A name for the notes of an engine of a process. */
    Path newFile(ProcessName process) {
        return path.resolve(
                "%d-%d-%s.notes"
                        .formatted(process.pid(), process.startMillis(), UUID.randomUUID()));
    }

    /** What stands against requests, by their keys; takes away what is old. */
    Map<String, Suspicion> suspicions() throws IOException {
        Map<Event, List<Found>> events = new HashMap<>();
        int read = 0;
        for (Path file : newestFirst()) {
            Matcher name = FILE.matcher(file.getFileName().toString());
            if (!name.matches()) {
                continue;
            }
            ProcessName process =
                    new ProcessName(Long.parseLong(name.group(1)), Long.parseLong(name.group(2)));
            boolean dead = process.isDead();
            if (read < MOST_FILES && !isOld(file)) {
                read++;
                read(file, process, dead, events);
            } else if (dead) {
                Files.deleteIfExists(file);
            }
        }
        Map<String, Suspicion> suspicions = new HashMap<>();
        events.values().forEach(found -> count(found, suspicions));
        return suspicions;
    }

    private List<Path> newestFirst() throws IOException {
        Map<Path, FileTime> files = new HashMap<>();
        try (Stream<Path> listed = Files.list(path)) {
            listed.forEach(file -> files.put(file, modified(file)));
        }
        return files.entrySet().stream()
                .sorted(Map.Entry.comparingByValue(Comparator.reverseOrder()))
                .map(Map.Entry::getKey)
                .toList();
    }

    /** One that was deleted meanwhile is as old as can be. */
    private static FileTime modified(Path file) {
        try {
            return Files.getLastModifiedTime(file);
        } catch (IOException e) {
            return FileTime.fromMillis(0);
        }
    }

    private static boolean isOld(Path file) {
        return modified(file).toInstant().isBefore(Instant.now().minus(KEPT));
    }

    private static void read(
            Path file, ProcessName process, boolean dead, Map<Event, List<Found>> events) {
        try {
            NotesFile.Content content = NotesFile.read(file);
            if (dead && content.notes().isEmpty()) {
                Files.deleteIfExists(file);
            } else if (dead || content.broken()) {
                Optional<Path> engine = content.broken() ? Optional.of(file) : Optional.empty();
                List<Found> found =
                        events.computeIfAbsent(new Event(process, engine), e -> new ArrayList<>());
                content.notes().forEach(note -> found.add(new Found(file, note)));
            }
        } catch (NoSuchFileException e) {
            // Its engine was closed in order meanwhile.
        } catch (IOException e) {
            LOG.warn("Notes of requests in {} are ignored: {}", file, e.getMessage());
        }
    }

    /** Where a request was alone, nothing is held against those that waited beside it. */
    private static void count(List<Found> event, Map<String, Suspicion> suspicions) {
        boolean alone = event.stream().anyMatch(found -> found.note().alone());
        Set<String> counted = new HashSet<>();
        for (Found found : event) {
            String key = found.note().key();
            Suspicion suspicion = suspicions.computeIfAbsent(key, k -> new Suspicion());
            suspicion.foundIn(found.file(), found.note().slot());
            if (found.note().alone() == alone && counted.add(key)) {
                suspicion.count(alone);
            }
        }
    }
}
