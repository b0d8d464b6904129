package io.layerskip.bench;

import io.layerskip.flink.LayerSkipOptions;
import io.layerskip.forward.Precision;
import io.layerskip.model.ModelFolder;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.apache.flink.configuration.Configuration;

/**
 * A checkpoint of real size: the one that {@code --model} names, or one of Llama 3.2 1B's shape,
 * which is written for as long as it is open.
 *
 * @param setup says which
 * @param later see {@link RandomCheckpoint.Design}; empty for the user's checkpoint
 */
record LargeCheckpoint(ExperimentSetup setup, Optional<Double> later) {

    private static final String CONFIG = "bench/llama-3.2-1B.config.json";
    private static final List<Integer> EXIT_LAYERS = List.of(4);

    /** The user's checkpoint, or one for each value of {@code --later}. */
    static List<LargeCheckpoint> all(ExperimentSetup setup) {
        return isGiven(setup)
                ? List.of(new LargeCheckpoint(setup, Optional.empty()))
                : setup.later().stream()
                        .map(later -> new LargeCheckpoint(setup, Optional.of(later)))
                        .toList();
    }

    /** Layers that drafts may exit after; the first is the default. */
    static List<Integer> exitLayers(ExperimentSetup setup) {
        return isGiven(setup)
                ? setup.settings().exitLayers()
                : setup.options()
                        .getOptional(LayerSkipOptions.ASSISTANT_EARLY_EXIT)
                        .orElse(EXIT_LAYERS);
    }

    private static boolean isGiven(ExperimentSetup setup) {
        return setup.options().contains(LayerSkipOptions.MODEL_PATH);
    }

    /** What tables call it. */
    String name() {
        return later.map(Object::toString).orElse("as trained");
    }

    Opened open() throws IOException {
        if (later.isEmpty()) {
            return new Opened(this, Optional.empty());
        }
        Path tokenizer = setup.checkpoint().folder().resolve("tokenizer.json");
        RandomCheckpoint.Design design =
                new RandomCheckpoint.Design(exitLayers(setup).get(0), later.get(), setup.peak());
        ModelFolder written = RandomCheckpoint.write(Report.resource(CONFIG), tokenizer, design);
        return new Opened(this, Optional.of(written));
    }

    /** The checkpoint's folder; goes when it is closed, unless it is the user's. */
    record Opened(LargeCheckpoint checkpoint, Optional<ModelFolder> written)
            implements AutoCloseable {

        /** What an engine is opened with. */
        Configuration options(Precision precision) {
            Configuration options =
                    new Configuration(checkpoint.setup().options())
                            .set(LayerSkipOptions.PRECISION, precision)
                            .set(
                                    LayerSkipOptions.ASSISTANT_EARLY_EXIT,
                                    exitLayers(checkpoint.setup()))
                            .set(LayerSkipOptions.THREADS, checkpoint.setup().settings().threads());
            written.ifPresent(
                    folder -> options.set(LayerSkipOptions.MODEL_PATH, folder.path().toString()));
            return options;
        }

        @Override
        public void close() {
            written.ifPresent(ModelFolder::close);
        }
    }
}
