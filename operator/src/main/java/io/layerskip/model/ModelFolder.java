package io.layerskip.model;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.apache.flink.annotation.PublicEvolving;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A checkpoint folder of the local file system, perhaps a copy that goes when it is closed. */
@PublicEvolving
public final class ModelFolder implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(ModelFolder.class);

    private final Path path;
    private final boolean temporary;

    private ModelFolder(Path path, boolean temporary) {
        this.path = path;
        this.temporary = temporary;
    }

    static ModelFolder existing(Path path) {
        return new ModelFolder(path, false);
    }

    /** A new folder, empty; what is put there goes when it is closed. */
    public static ModelFolder temporary() throws IOException {
        return new ModelFolder(Files.createTempDirectory("layerskip-model-"), true);
    }

    /** The folder, absolute. */
    public Path path() {
        return path;
    }

    /**
     * Deletes the folder if it is a copy; close the checkpoint that was opened from it first.
     * Idempotent. What the system does not let go of (a mapped file on Windows) is left, with a
     * warning in the log.
     */
    @Override
    public void close() {
        if (!temporary || !Files.exists(path)) {
            return;
        }
        try (Stream<Path> files = Files.list(path)) {
            List<Path> copies = files.toList();
            for (Path copy : copies) {
                Files.delete(copy);
            }
            Files.delete(path);
        } catch (IOException e) {
            LOG.warn("Could not delete {}, the temporary copy of a model", path, e);
        }
    }
}
