package io.layerskip.flink;

import io.layerskip.engine.EngineSettings;
import io.layerskip.engine.GenerationEngine;
import io.layerskip.forward.LoadListener;
import io.layerskip.forward.Precision;
import io.layerskip.model.Checkpoint;
import java.io.IOException;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.configuration.IllegalConfigurationException;

/**
 * The engine that a configuration describes, with the checkpoint that it names.
 *
 * <pre>{@code
 * try (ConfiguredEngine opened = ConfiguredEngine.open(configuration, loader, 1)) {
 *     opened.engine().submit(request);
 * }
 * }</pre>
 */
@PublicEvolving
public final class ConfiguredEngine implements AutoCloseable {

    private final ConfiguredCheckpoint opened;
    private final EngineSettings settings;
    private final GenerationEngine engine;

    private ConfiguredEngine(
            ConfiguredCheckpoint opened, EngineSettings settings, GenerationEngine engine) {
        this.opened = opened;
        this.settings = settings;
        this.engine = engine;
    }

    /**
     * Opens the checkpoint and an engine; takes seconds, and longer if the checkpoint has to be
     * fetched. Engines of a process that are configured alike share the weights: one loads them,
     * while the others wait.
     *
     * @param loader looks for a model on the class path
     * @param slots that share this machine's cores and this process's memory, at least 1
     * @throws IllegalConfigurationException if the model has no such layer to exit after, or Flink
     *     has no file system for its address
     * @throws IllegalArgumentException if the memory for keys and values is too small for the model
     * @throws io.layerskip.model.CheckpointException if there is no such checkpoint, or it cannot
     *     be fetched or served
     * @throws IOException if it cannot be copied out of a jar or into the cache folder, or the
     *     thread is interrupted while it is fetched or another opens it
     * @throws io.layerskip.engine.EngineFailedException if the weights need more memory than this
     *     process may still take, or the engine cannot be built
     */
    public static ConfiguredEngine open(
            LayerSkipConfiguration configuration, ClassLoader loader, int slots)
            throws IOException {
        return open(configuration, loader, slots, LoadListener.NONE);
    }

    /**
     * The same, and tells how far it has come.
     *
     * @see #open(LayerSkipConfiguration, ClassLoader, int)
     */
    public static ConfiguredEngine open(
            LayerSkipConfiguration configuration,
            ClassLoader loader,
            int slots,
            LoadListener listener)
            throws IOException {
        ConfiguredCheckpoint opened = ConfiguredCheckpoint.open(configuration, loader, listener);
        try {
            EngineSettings settings = configuration.toEngineSettings(slots);
            GenerationEngine engine =
                    GenerationEngine.open(
                            opened.checkpoint(),
                            settings,
                            new Loading(opened.checkpoint(), settings.precision(), listener));
            return new ConfiguredEngine(opened, settings, engine);
        } catch (RuntimeException | Error e) {
            opened.close();
            throw e;
        }
    }

    /** Refuses weights that this process has no room for. */
    private record Loading(Checkpoint checkpoint, Precision precision, LoadListener listener)
            implements LoadListener {

        @Override
        public void beforeLoading() {
            ProcessMemory.now().requireRoomFor(checkpoint, precision);
        }

        @Override
        public void onProgress(Stage stage, long done, long total) {
            listener.onProgress(stage, done, total);
        }
    }

    /** The checkpoint; usable until {@link #close()}. */
    public Checkpoint checkpoint() {
        return opened.checkpoint();
    }

    /** What the engine runs with. */
    public EngineSettings settings() {
        return settings;
    }

    /** The engine, which runs until {@link #close()}. */
    public GenerationEngine engine() {
        return engine;
    }

    /**
     * Ends what runs, then closes the checkpoint; where a pass hangs, that is left until it ends.
     * Idempotent.
     */
    @Override
    public void close() {
        engine.close();
        engine.whenFreed(opened::close);
    }
}
