package io.layerskip.forward;

import io.layerskip.model.Checkpoint;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A folder that keeps quantized weights, each model's under a hash of all that they follow from.
 *
 * <p>A file is used if it is as this user, or root, has written it: by its owner, its permissions,
 * its length and its checksums. Any other is made again. Whoever makes one holds the folder's lock,
 * so that those who come at the same time, in whatever process, wait and find it; and what is
 * unfinished then belongs to a process that was killed, and is deleted.
 */
final class WeightsCache {

    private static final Logger LOG = LoggerFactory.getLogger(WeightsCache.class);

    private static final String LOCK = "lock";

    private final TrustedFolder folder;
    private final Checkpoint checkpoint;
    private final WeightsLayout layout;
    private final LoadListener listener;

    private WeightsCache(
            TrustedFolder folder,
            Checkpoint checkpoint,
            WeightsLayout layout,
            LoadListener listener) {
        this.folder = folder;
        this.checkpoint = checkpoint;
        this.layout = layout;
        this.listener = listener;
    }

    /**
     * Finds a model's file, or makes it.
     *
     * @throws java.io.InterruptedIOException if the thread is interrupted
     * @throws IOException if others may write into the folder, there is no room, a file cannot be
     *     read or written, or a weight is not finite
     */
    static Path find(
            Path folder,
            Checkpoint checkpoint,
            Precision precision,
            WeightsLayout layout,
            LoadListener listener)
            throws IOException {
        TrustedFolder trusted = TrustedFolder.open(folder);
        Path file =
                trusted.path()
                        .resolve(
                                "%s-%s-%s.weights"
                                        .formatted(
                                                CheckpointHash.of(checkpoint, trusted, listener),
                                                precision,
                                                WeightsLayout.VERSION));
        WeightsCache cache = new WeightsCache(trusted, checkpoint, layout, listener);
        if (!cache.isUsable(file)) {
            cache.make(file);
        }
        return file;
    }

    private boolean isUsable(Path file) throws IOException {
        if (!Files.exists(file)) {
            return false;
        }
        if (!folder.holds(file)) {
            LOG.warn("{} may have been written by another user; it is made again", file);
            return false;
        }
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            boolean whole = WeightsChecksum.matches(channel, layout.length(), listener);
            if (!whole) {
                LOG.warn("{} is damaged; it is made again", file);
            }
            return whole;
        }
    }

    private void make(Path file) throws IOException {
        long length = WeightsChecksum.fileLength(layout.length());
        Runnable waiting = () -> listener.onProgress(LoadListener.Stage.WAITING, 0, length);
        ProcessLock lock = ProcessLock.acquire(folder.path().resolve(LOCK), waiting);
        try (lock) {
            if (isUsable(file)) {
                return;
            }
            sweep();
            TrustedFolder.replace(
                    file,
                    unfinished -> QuantizedWeights.write(checkpoint, layout, unfinished, listener));
        }
    }

    private void sweep() throws IOException {
        try (DirectoryStream<Path> left =
                Files.newDirectoryStream(folder.path(), "*" + TrustedFolder.UNFINISHED)) {
            for (Path file : left) {
                LOG.info("Deleting {}, which a process that ended did not finish", file);
                Files.deleteIfExists(file);
            }
        }
    }
}
