package io.layerskip.forward;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A file of weights in a folder of its own in the system's temporary folder, which goes when it is
 * closed. One that a killed process left is deleted by the next process that makes one: beside each
 * lies a file that its process holds locked.
 */
final class TemporaryFile implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(TemporaryFile.class);

    private static final String FOLDER = "layerskip-weights-";
    private static final String FILE = "weights";
    private static final String LOCK = "lock";

    private final Path folder;
    private final ProcessLock lock;

    private TemporaryFile(Path folder, ProcessLock lock) {
        this.folder = folder;
        this.lock = lock;
    }

    /** A new file, empty. */
    static TemporaryFile create() throws IOException {
        sweep(Path.of(System.getProperty("java.io.tmpdir")));
        Path folder = Files.createTempDirectory(FOLDER);
        ProcessLock lock =
                ProcessLock.tryAcquire(folder.resolve(LOCK))
                        .orElseThrow(() -> new IOException(folder + " is in use"));
        TemporaryFile created = new TemporaryFile(folder, lock);
        try {
            Files.createFile(created.path());
        } catch (IOException | RuntimeException | Error e) {
            created.close();
            throw e;
        }
        return created;
    }

    /** Where it lies. */
    Path path() {
        return folder.resolve(FILE);
    }

    private static void sweep(Path temporary) throws IOException {
        try (DirectoryStream<Path> left = Files.newDirectoryStream(temporary, FOLDER + "*")) {
            for (Path folder : left) {
                // A folder without weights may be about to be locked.
                if (isFile(folder.resolve(FILE)) && isFile(folder.resolve(LOCK))) {
                    deleteIfLeft(folder);
                }
            }
        }
    }

    private static boolean isFile(Path path) {
        return Files.isRegularFile(path, LinkOption.NOFOLLOW_LINKS);
    }

    private static void deleteIfLeft(Path folder) {
        try {
            Optional<ProcessLock> lock = ProcessLock.tryAcquire(folder.resolve(LOCK));
            if (lock.isPresent()) {
                LOG.info("Deleting {}, which a process that ended has left", folder);
                new TemporaryFile(folder, lock.get()).close();
            }
        } catch (IOException e) {
            LOG.debug("{} is another user's", folder, e);
        }
    }

    @Override
    public void close() throws IOException {
        try (lock) {
            Files.deleteIfExists(path());
            Files.deleteIfExists(folder.resolve(LOCK));
            Files.deleteIfExists(folder);
        }
    }
}
