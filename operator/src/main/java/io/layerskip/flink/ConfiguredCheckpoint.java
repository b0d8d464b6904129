package io.layerskip.flink;

import io.layerskip.forward.LoadListener;
import io.layerskip.model.Checkpoint;
import io.layerskip.model.FolderStamp;
import io.layerskip.model.ModelFolder;
import io.layerskip.model.ModelLocation;
import io.layerskip.model.SharedResources;
import java.io.IOException;
import java.util.Optional;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.configuration.IllegalConfigurationException;

/**
 * The checkpoint that a configuration names, opened; for whoever opens engines of its own. Those
 * who name the same one in a process share it, copy and tokenizer included, until the last closes
 * it.
 *
 * @see ConfiguredEngine
 */
@PublicEvolving
public final class ConfiguredCheckpoint implements AutoCloseable {

    /** Checkpoints that are open, for others to share. */
    private static final SharedResources<SharedKey, Opened> SHARED =
            new SharedResources<>(Opened::close);

    private final SharedResources.Use<Opened> use;

    private ConfiguredCheckpoint(SharedResources.Use<Opened> use) {
        this.use = use;
    }

    /**
     * What a checkpoint follows from.
     *
     * @param files of a folder; those on the class path stay as they are
     */
    private record SharedKey(
            ModelLocation model,
            ClassLoader loader,
            Optional<FolderStamp> files,
            boolean splitSpecialTokens) {}

    private record Opened(ModelFolder folder, Checkpoint checkpoint) implements AutoCloseable {

        private static Opened open(LayerSkipConfiguration configuration, ClassLoader loader)
                throws IOException {
            ModelFolder folder = configuration.model().open(loader);
            try {
                return new Opened(
                        folder, Checkpoint.open(folder.path(), configuration.splitSpecialTokens()));
            } catch (IOException | RuntimeException | Error e) {
                folder.close();
                throw e;
            }
        }

        @Override
        public void close() {
            try {
                checkpoint.close();
            } finally {
                folder.close();
            }
        }
    }

    /**
     * Opens the checkpoint, with its tokenizer as configured; one that is at an address is fetched
     * first, unless it was before.
     *
     * @param loader looks for a model on the class path
     * @throws IllegalConfigurationException if the model has no such layer to exit after, or Flink
     *     has no file system for its address
     * @throws io.layerskip.model.CheckpointException if there is no such checkpoint, or it cannot
     *     be fetched or served
     * @throws IOException if it cannot be copied out of a jar or into the cache folder, or the
     *     thread is interrupted while it is fetched or another opens it
     */
    public static ConfiguredCheckpoint open(
            LayerSkipConfiguration configuration, ClassLoader loader) throws IOException {
        return open(configuration, loader, LoadListener.NONE);
    }

    /**
     * The same, and tells how far it has come.
     *
     * @see #open(LayerSkipConfiguration, ClassLoader)
     */
    public static ConfiguredCheckpoint open(
            LayerSkipConfiguration configured, ClassLoader loader, LoadListener listener)
            throws IOException {
        LayerSkipConfiguration configuration = configured.fetched(listener);
        configuration.checkAgainstModel(loader);
        ModelLocation model = configuration.model();
        SharedKey key =
                new SharedKey(
                        model, loader, model.stamp(loader), configuration.splitSpecialTokens());
        return new ConfiguredCheckpoint(SHARED.use(key, () -> Opened.open(configuration, loader)));
    }

    /** The checkpoint; usable until {@link #close()}. */
    public Checkpoint checkpoint() {
        return use.resource().checkpoint();
    }

    /** The last one closes the checkpoint and deletes what was copied for it. Idempotent. */
    @Override
    public void close() {
        use.close();
    }
}
