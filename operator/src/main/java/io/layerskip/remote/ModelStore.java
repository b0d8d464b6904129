package io.layerskip.remote;

import io.layerskip.forward.LoadListener;
import io.layerskip.forward.ProcessLock;
import io.layerskip.forward.TrustedFolder;
import io.layerskip.model.ModelLocation;
import io.layerskip.model.Sha256;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The folder {@value #FOLDER} of a cache folder, which keeps what was fetched.
 *
 * <pre>
 * ADDRESS.lock       held by whoever fetches from that address; ADDRESS is a hash of its name
 * ADDRESS.address    what lay there when it was fetched, and the content's hash
 * ADDRESS.partial/   what is being fetched from there
 * ADDRESS.progress   how far each file of it has come
 * HASH/              a checkpoint, by its content
 * HASH.files         how the system tells its files from those that were written later
 * lock               held for a moment by whoever adds, deletes or looks for a checkpoint
 * </pre>
 *
 * <p>A checkpoint that no address leads to any more (another was fetched from there) is deleted
 * once nobody has opened it for {@link #KEPT}, and so is what was left unfinished.
 */
final class ModelStore {

    private static final Logger LOG = LoggerFactory.getLogger(ModelStore.class);

    static final String FOLDER = "models";

    /** How long what nobody needs is kept. */
    static final Duration KEPT = Duration.ofDays(7);

    private static final String ADDRESS = ".address";
    private static final String PARTIAL = ".partial";
    private static final String PROGRESS = ".progress";
    private static final String FILES = ".files";
    private static final String LOCK = "lock";
    private static final String UNIX = "unix";
    private static final String HASH = "[0-9a-f]{64}";

    private final TrustedFolder folder;
    private final ModelLocation address;
    private final String key;
    private final LoadListener listener;

    /** What the system says of each file of a checkpoint; changes whenever one is written. */
    private record Identities(Map<String, String> files) {}

    private ModelStore(TrustedFolder folder, ModelLocation address, LoadListener listener) {
        this.folder = folder;
        this.address = address;
        this.key = new Sha256().update(address.name()).hex();
        this.listener = listener;
    }

    /**
     * Opens the folder for an address.
     *
     * @throws IOException if others may write there, or it cannot be made
     */
    static ModelStore open(Path cacheFolder, ModelLocation address, LoadListener listener)
            throws IOException {
        Path cache = TrustedFolder.open(cacheFolder).path();
        return new ModelStore(TrustedFolder.open(cache.resolve(FOLDER)), address, listener);
    }

    /** Waits until nobody else fetches from the address; closing it lets the next one. */
    ProcessLock lock() throws IOException {
        return acquire(key + "." + LOCK);
    }

    private ProcessLock acquire(String name) throws IOException {
        return ProcessLock.acquire(
                folder.path().resolve(name),
                () -> listener.onProgress(LoadListener.Stage.WAITING, 0, 0));
    }

    /** What was fetched from the address last. */
    Optional<FetchedModel> fetched() throws IOException {
        return read(noteOf(ADDRESS), FetchedModel.class)
                .filter(fetched -> fetched.hash().matches(HASH));
    }

    /** Reads a note that nobody else has written. */
    private <T> Optional<T> read(Path note, Class<T> type) throws IOException {
        return Files.exists(note) && folder.holds(note) ? Notes.read(note, type) : Optional.empty();
    }

    private Path noteOf(String suffix) {
        return folder.path().resolve(key + suffix);
    }

    /** What was left of a download from the address, or an empty one. */
    PartialDownload partial() throws IOException {
        return PartialDownload.open(noteOf(PARTIAL), noteOf(PROGRESS));
    }

    /**
     * @throws IOException if there is not so much room
     */
    void requireRoom(long bytes) throws IOException {
        long left = Files.getFileStore(folder.path()).getUsableSpace();
        if (bytes > left) {
            throw new IOException(
                    "fetching %s needs %d MB more in %s, and %d MB are left there"
                            .formatted(address, (bytes >> 20) + 1, folder.path(), left >> 20));
        }
    }

    /** The checkpoint of that content, if it is there and as it was written. */
    Optional<Path> find(String hash) throws IOException {
        ProcessLock lock = acquire(LOCK);
        try (lock) {
            Path found = folder.path().resolve(hash);
            Path note = folder.path().resolve(hash + FILES);
            if (!Files.isDirectory(found, LinkOption.NOFOLLOW_LINKS) || !isWhole(found, note)) {
                return Optional.empty();
            }
            Files.setLastModifiedTime(note, FileTime.from(Instant.now()));
            return Optional.of(found);
        }
    }

    private boolean isWhole(Path found, Path note) throws IOException {
        Map<String, String> now = identities(found);
        boolean ours = folder.holds(found);
        for (String name : now.keySet()) {
            ours &= folder.holds(found.resolve(name));
        }
        if (!ours) {
            LOG.warn("{} may have been written by another user; it is fetched again", found);
            return false;
        }
        Optional<Identities> then = read(note, Identities.class);
        if (then.isPresent() && isUnix(found) && then.get().files().equals(now)) {
            return true;
        }
        if (!ContentHash.of(found, now.keySet(), listener).equals(found.getFileName().toString())) {
            LOG.warn("{} is damaged; it is fetched again", found);
            return false;
        }
        Notes.write(note, new Identities(now));
        return true;
    }

    private static boolean isUnix(Path file) {
        return file.getFileSystem().supportedFileAttributeViews().contains(UNIX);
    }

    private static Map<String, String> identities(Path found) throws IOException {
        String attributes = isUnix(found) ? UNIX + ":dev,ino,size,lastModifiedTime,ctime" : "size";
        Map<String, String> identities = new TreeMap<>();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(found)) {
            for (Path file : files) {
                identities.put(
                        file.getFileName().toString(),
                        new TreeMap<>(
                                        Files.readAttributes(
                                                file, attributes, LinkOption.NOFOLLOW_LINKS))
                                .toString());
            }
        }
        return identities;
    }

    /** Gives a download that is whole its place, by its content. */
    Path keep(PartialDownload partial, List<RemoteFile> files) throws IOException {
        Set<String> names = new HashSet<>();
        files.forEach(file -> names.add(file.name()));
        String hash = ContentHash.of(partial.folder(), names, listener);
        Path kept = folder.path().resolve(hash);
        if (find(hash).isPresent()) {
            delete(partial.folder());
        }
        ProcessLock lock = acquire(LOCK);
        try (lock) {
            if (Files.exists(partial.folder())) {
                delete(kept);
                Files.move(partial.folder(), kept, StandardCopyOption.ATOMIC_MOVE);
                Notes.write(folder.path().resolve(hash + FILES), new Identities(identities(kept)));
            }
            Notes.write(noteOf(ADDRESS), new FetchedModel(address.name(), hash, files));
            Files.deleteIfExists(noteOf(PROGRESS));
            sweep();
        }
        LOG.info("{} is kept in {}", address, kept);
        return kept;
    }

    private void sweep() throws IOException {
        Instant old = Instant.now().minus(KEPT);
        Set<String> needed = new HashSet<>();
        try (DirectoryStream<Path> notes = Files.newDirectoryStream(folder.path(), "*" + ADDRESS)) {
            for (Path note : notes) {
                Notes.read(note, FetchedModel.class).ifPresent(model -> needed.add(model.hash()));
            }
        }
        sweep("*" + FILES, FILES, "", needed, old);
        sweep("*" + PROGRESS, PROGRESS, PARTIAL, Set.of(), old);
        sweep("*" + TrustedFolder.UNFINISHED, "", "", Set.of(), old);
    }

    /** Deletes old notes, each with the folder that it is about. */
    private void sweep(
            String notes, String suffix, String folderSuffix, Set<String> needed, Instant old)
            throws IOException {
        try (DirectoryStream<Path> found = Files.newDirectoryStream(folder.path(), notes)) {
            for (Path note : found) {
                String file = note.getFileName().toString();
                String name = file.substring(0, file.length() - suffix.length());
                if (!needed.contains(name)
                        && Files.getLastModifiedTime(note).toInstant().isBefore(old)) {
                    LOG.info("Deleting {}, which nobody has used for {}", name, KEPT);
                    delete(folder.path().resolve(name + folderSuffix));
                    Files.deleteIfExists(note);
                }
            }
        }
    }

    /** Deletes a folder with its files, if there is one. */
    private static void delete(Path folder) throws IOException {
        if (Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)) {
            try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
                for (Path file : files) {
                    Files.delete(file);
                }
            }
        }
        Files.deleteIfExists(folder);
    }
}
