package io.layerskip.flink;

import io.layerskip.model.Checkpoint;
import io.layerskip.model.ModelFolder;
import java.io.IOException;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.configuration.IllegalConfigurationException;

/**
 * The checkpoint that a configuration names, opened; for whoever opens engines of its own.
 *
 * @see ConfiguredEngine
 */
@PublicEvolving
public final class ConfiguredCheckpoint implements AutoCloseable {

    private final ModelFolder folder;
    private final Checkpoint checkpoint;

    private ConfiguredCheckpoint(ModelFolder folder, Checkpoint checkpoint) {
        this.folder = folder;
        this.checkpoint = checkpoint;
    }

    /**
     * Opens the checkpoint, with its tokenizer as configured.
     *
     * @param loader looks for a model on the class path
     * @throws IllegalConfigurationException if the model has no such layer to exit after
     * @throws io.layerskip.model.CheckpointException if there is no such checkpoint, or it cannot
     *     be served
     * @throws IOException if it cannot be copied out of a jar
     */
    public static ConfiguredCheckpoint open(
            LayerSkipConfiguration configuration, ClassLoader loader) throws IOException {
        configuration.checkAgainstModel(loader);
        ModelFolder folder = configuration.model().open(loader);
        try {
            return new ConfiguredCheckpoint(
                    folder, Checkpoint.open(folder.path(), configuration.splitSpecialTokens()));
        } catch (IOException | RuntimeException | Error e) {
            folder.close();
            throw e;
        }
    }

    /** The checkpoint; usable until {@link #close()}. */
    public Checkpoint checkpoint() {
        return checkpoint;
    }

    /** Closes the checkpoint and deletes what was copied for it. Idempotent. */
    @Override
    public void close() {
        try {
            checkpoint.close();
        } finally {
            folder.close();
        }
    }
}
