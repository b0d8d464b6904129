package io.layerskip.remote;

import io.layerskip.forward.LoadListener;
import io.layerskip.forward.LoadProgress;
import io.layerskip.forward.ProcessLock;
import io.layerskip.model.CheckpointException;
import io.layerskip.model.CheckpointFiles;
import io.layerskip.model.ModelConfigReader;
import io.layerskip.model.ModelFolder;
import io.layerskip.model.ModelLocation;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.flink.annotation.Internal;
import org.apache.flink.core.fs.UnsupportedFileSystemSchemeException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A checkpoint at an address of one of Flink's file systems.
 *
 * <p>Whether its files have changed is told by their sizes and modification times, which is all
 * that Flink's file systems say: one that is replaced within the same second by one of the same
 * size is not noticed.
 */
@Internal
public final class RemoteModel {

    private static final Logger LOG = LoggerFactory.getLogger(RemoteModel.class);

    /** For one answer of a file system, which has waits and retries of its own below that. */
    private static final Duration PATIENCE = Duration.ofMinutes(10);

    /** How often files may change while they are fetched. */
    private static final int ATTEMPTS = 3;

    private final ModelLocation address;
    private final RemoteFolder remote;
    private final ModelStore store;
    private final LoadListener listener;

    private RemoteModel(
            ModelLocation address, RemoteFolder remote, ModelStore store, LoadListener listener) {
        this.address = address;
        this.remote = remote;
        this.store = store;
        this.listener = listener;
    }

    /**
     * Makes the checkpoint a folder of this machine: the one that was fetched before if the files
     * at the address are the same, else they are fetched. Whoever comes meanwhile, in whatever
     * process, waits. What a process that ended has left unfinished is gone on with.
     *
     * @param cacheFolder where it is kept; only this user, or root, may write there
     * @return the folder, named by its content's hash
     * @throws UnsupportedFileSystemSchemeException if Flink has no file system for the address
     * @throws CheckpointException if a file is missing, cannot be read, or describes a model that
     *     is not served; the message names address and file
     * @throws InterruptedIOException if the thread is interrupted
     * @throws IOException if others may write into the cache folder, there is no room, or a file
     *     cannot be written
     */
    public static Path fetch(ModelLocation address, Path cacheFolder, LoadListener listener)
            throws IOException {
        ModelStore store = ModelStore.open(cacheFolder, address, listener);
        ProcessLock lock = store.lock();
        try (lock;
                RemoteFolder remote = RemoteFolder.open(address, PATIENCE)) {
            return new RemoteModel(address, remote, store, listener).fetch();
        }
    }

    /**
     * Brings only what shows whether a model is served and how it renders chats.
     *
     * @param patience how long to wait for each answer
     * @return a folder that goes when it is closed
     * @throws UnsupportedFileSystemSchemeException if Flink has no file system for the address
     * @throws CheckpointException if config.json is missing (then with a {@link
     *     NoSuchFileException} as its cause), or a file cannot be read
     * @throws InterruptedIOException if the thread is interrupted
     * @throws IOException if a file cannot be written
     */
    public static ModelFolder peek(ModelLocation address, Duration patience) throws IOException {
        ModelFolder folder = ModelFolder.temporary();
        try (RemoteFolder remote = RemoteFolder.open(address, patience)) {
            for (RemoteFile file : find(address, remote, CheckpointFiles.SETTINGS)) {
                try (OutputStream copy =
                        Files.newOutputStream(folder.path().resolve(file.name()))) {
                    remote.read(file, 0, b -> copy.write(b.array(), b.position(), b.remaining()));
                }
            }
            return folder;
        } catch (IOException | RuntimeException | Error e) {
            folder.close();
            throw e;
        }
    }

    private Path fetch() throws IOException {
        Optional<FetchedModel> before = store.fetched();
        if (before.isPresent() && list(before.get().shards()).equals(before.get().files())) {
            Optional<Path> folder = store.find(before.get().hash());
            if (folder.isPresent()) {
                LOG.info("{} is in {} as it was fetched before", address, folder.get());
                return folder.get();
            }
        }
        for (int attempt = 1; attempt <= ATTEMPTS; attempt++) {
            Optional<Path> folder = download();
            if (folder.isPresent()) {
                return folder.get();
            }
            LOG.warn("{} changed while it was fetched", address);
        }
        throw new CheckpointException(
                "%s changed %d times while it was fetched; write a model to an address of its own"
                        .formatted(address, ATTEMPTS));
    }

    /** Empty if a file changed meanwhile. */
    private Optional<Path> download() throws IOException {
        List<RemoteFile> files = list(Set.of());
        PartialDownload partial = store.partial();
        for (RemoteFile file : files) {
            if (!file.name().equals(CheckpointFiles.WEIGHTS)) {
                partial.fetch(remote, file, read -> {});
            }
        }
        Set<String> shards =
                files.stream().anyMatch(f -> f.name().equals(CheckpointFiles.INDEX.name()))
                        ? CheckpointFiles.shards(partial.folder())
                        : Set.of();
        files = list(shards);
        requireAll(shards, files);
        partial.keep(files);
        // Before gigabytes are fetched for nothing.
        ModelConfigReader.read(partial.folder());
        store.requireRoom(partial.missing(files));
        long total = files.stream().mapToLong(RemoteFile::size).sum();
        long start = System.nanoTime();
        long there = total - partial.missing(files);
        LOG.info("Fetching {}, {} of {} MB are there already", address, there >> 20, total >> 20);
        LoadProgress progress = new LoadProgress(listener, LoadListener.Stage.FETCHING, total);
        progress.add(there);
        for (RemoteFile file : files) {
            partial.fetch(remote, file, progress::add);
        }
        if (!list(shards).equals(files)) {
            return Optional.empty();
        }
        LOG.info("Fetched {} within {} s", address, (System.nanoTime() - start) / 1_000_000_000);
        return Optional.of(store.keep(partial, files));
    }

    private void requireAll(Set<String> shards, List<RemoteFile> files) throws CheckpointException {
        Set<String> found = files.stream().map(RemoteFile::name).collect(Collectors.toSet());
        for (String shard : shards) {
            if (!found.contains(shard)) {
                throw missing(address, shard);
            }
        }
    }

    /**
     * Looks at all files that there are, those without weights first.
     *
     * @param shards the weights' files, if they are several; those that are missing are left out
     */
    private List<RemoteFile> list(Collection<String> shards) throws IOException {
        List<RemoteFile> files = find(address, remote, CheckpointFiles.SMALL);
        Optional<RemoteFile> weights = remote.find(CheckpointFiles.WEIGHTS);
        if (weights.isPresent()) {
            files.add(weights.get());
            return files;
        }
        List<RemoteFile> index = find(address, remote, List.of(CheckpointFiles.INDEX));
        if (index.isEmpty()) {
            throw missing(address, CheckpointFiles.WEIGHTS);
        }
        files.addAll(index);
        for (String shard : shards) {
            remote.find(shard).ifPresent(files::add);
        }
        return files;
    }

    private static List<RemoteFile> find(
            ModelLocation address, RemoteFolder remote, List<CheckpointFiles.Small> names)
            throws IOException {
        List<RemoteFile> found = new ArrayList<>();
        for (CheckpointFiles.Small name : names) {
            Optional<RemoteFile> file = remote.find(name.name());
            if (file.isEmpty() && name.required()) {
                throw missing(address, name.name());
            }
            if (file.isPresent() && file.get().size() > name.maxBytes()) {
                throw new CheckpointException(
                        "%s: %s has %d bytes, more than %d, the most that is read"
                                .formatted(
                                        address, name.name(), file.get().size(), name.maxBytes()));
            }
            file.ifPresent(found::add);
        }
        return found;
    }

    private static CheckpointException missing(ModelLocation address, String name) {
        return new CheckpointException(
                "%s is missing from %s".formatted(name, address), new NoSuchFileException(name));
    }
}
