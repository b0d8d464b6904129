package io.layerskip.bench;

import io.layerskip.engine.EngineSettings;
import io.layerskip.engine.GenerationEngine;
import io.layerskip.model.Checkpoint;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What experiments work on.
 *
 * @param modelName for people
 * @param checkpoint the model
 * @param settings engines are opened with, unless an experiment varies them; drafts automatic
 * @param prompts at least one
 * @param rounds that are timed, at least 1
 * @param draftLengths fixed numbers of drafts to compare with
 */
public record ExperimentSetup(
        String modelName,
        Checkpoint checkpoint,
        EngineSettings settings,
        List<String> prompts,
        int rounds,
        List<Integer> draftLengths) {

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
        Map<String, String> environment = new LinkedHashMap<>();
        environment.put("model", modelName);
        environment.put("prompts", Integer.toString(prompts.size()));
        environment.put("rounds", Integer.toString(rounds));
        environment.put("threads", Integer.toString(settings.threads()));
        environment.put("exit layers", settings.exitLayers().toString());
        environment.put("precision", settings.precision().toString());
        environment.put("cores", Integer.toString(Runtime.getRuntime().availableProcessors()));
        environment.put("Java", Runtime.version().toString());
        environment.put(
                "system", System.getProperty("os.name") + " " + System.getProperty("os.arch"));
        return environment;
    }
}
