package io.layerskip.bench;

import io.layerskip.engine.EngineSettings;
import io.layerskip.engine.GenerationEngine;
import io.layerskip.flink.LayerSkipConfiguration;
import io.layerskip.flink.LayerSkipOptions;
import io.layerskip.forward.Precision;
import io.layerskip.model.Checkpoint;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.configuration.Configuration;

/**
 * What experiments work on. Contenders decode greedily, draft as they choose unless an experiment
 * says how far, and know no prompt from the last time.
 *
 * @param options of the job; engines are opened with them, unless an experiment varies them
 * @param checkpoint the model that the options name
 * @param prompts at least one
 * @param rounds that are timed, at least 1
 * @param draftLengths fixed numbers of drafts to compare with
 * @param later of checkpoints with random weights: how much each layer after the exit adds, times
 *     what the earlier ones add; each from 0
 * @param peak of checkpoints with random weights: how much the most probable token stands out,
 *     above 0
 */
public record ExperimentSetup(
        Configuration options,
        Checkpoint checkpoint,
        List<String> prompts,
        int rounds,
        List<Integer> draftLengths,
        List<Double> later,
        double peak) {

    public ExperimentSetup {
        options = new Configuration(options).set(LayerSkipOptions.PREFIX_CACHING, false);
        options.removeConfig(LayerSkipOptions.TEMPERATURE);
        options.removeConfig(LayerSkipOptions.NUM_ASSISTANT_TOKENS);
    }

    /** What an engine is opened with that has the machine to itself. */
    EngineSettings settings() {
        return configuration().toEngineSettings(1);
    }

    /** The one that the options set, or all: for experiments that compare them. */
    List<Precision> precisions() {
        return options.getOptional(LayerSkipOptions.PRECISION)
                .map(List::of)
                .orElse(List.of(Precision.values()));
    }

    private LayerSkipConfiguration configuration() {
        return LayerSkipConfiguration.from(options);
    }

    GenerationEngine open(EngineSettings with) {
        return GenerationEngine.open(checkpoint, with);
    }

    /** Contenders take turns on all prompts. */
    Comparison comparison() {
        return new Comparison(prompts, rounds);
    }

    /** For experiments with many cells: contenders take turns on some of the prompts. */
    Comparison shortComparison() {
        return new Comparison(prompts.subList(0, Math.min(prompts.size(), 24)), rounds);
    }

    /** What the figures depend on. */
    Map<String, String> environment() {
        EngineSettings settings = settings();
        Map<String, String> environment = new LinkedHashMap<>();
        environment.put("model", configuration().model().modelName());
        environment.put("prompts", Integer.toString(prompts.size()));
        environment.put("rounds", Integer.toString(rounds));
        environment.put("threads", Integer.toString(settings.threads()));
        environment.put("exit layers", settings.exitLayers().toString());
        environment.put("precision", settings.precision().toString());
        Processor processor = Processor.ofThisMachine();
        environment.put("processor", processor.name());
        environment.put("vector instructions", String.join(" ", processor.vectorFlags()));
        environment.put("cores", Integer.toString(Runtime.getRuntime().availableProcessors()));
        environment.put("Java", Runtime.version().toString());
        environment.put(
                "system", System.getProperty("os.name") + " " + System.getProperty("os.arch"));
        return environment;
    }
}
