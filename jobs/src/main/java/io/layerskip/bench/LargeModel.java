package io.layerskip.bench;

import io.layerskip.engine.GenerationEngine;
import io.layerskip.engine.GenerationParameters;
import io.layerskip.flink.ConfiguredEngine;
import io.layerskip.flink.LayerSkipConfiguration;
import io.layerskip.flink.LayerSkipOptions;
import io.layerskip.forward.Precision;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.StringJoiner;
import java.util.concurrent.TimeUnit;
import org.apache.flink.configuration.Configuration;

/**
 * Self-speculation in a model of real size: random weights of Llama 3.2 1B's shape, whose early
 * exit agrees with the whole model more or less often, or a checkpoint of the user's.
 */
final class LargeModel implements Experiment {

    private static final List<Integer> DRAFTS = List.of(2, 3, 4, 6);

    /** The contender whose acceptance the chart is drawn over, among all contenders. */
    private static final int CHARTED = 1 + DRAFTS.indexOf(3);

    private static final int PROMPT_TOKENS = 32;
    private static final int NEW_TOKENS = 32;

    private static final List<Level> LEVELS = List.of(new Level(1, 4), new Level(8, 8));

    /** Requests in flight at once, and how many there are in a round. */
    private record Level(int inFlight, int prompts) {}

    @Override
    public String name() {
        return "large-model";
    }

    @Override
    public String title() {
        return "A model of real size";
    }

    @Override
    public Section run(ExperimentSetup setup) throws Exception {
        Table table =
                new Table(
                        "precision",
                        "later",
                        "in flight",
                        "decoding",
                        "accepted %",
                        "drafted a prompt",
                        "ms per token after the first",
                        "speedup after the first token");
        Map<Precision, String> footprints = new LinkedHashMap<>();
        Map<String, List<List<Double>>> speedups = new LinkedHashMap<>();
        for (LargeCheckpoint checkpoint : LargeCheckpoint.all(setup)) {
            try (LargeCheckpoint.Opened opened = checkpoint.open()) {
                for (Precision precision : setup.precisions()) {
                    Configuration options = opened.options(precision);
                    if (!footprints.containsKey(precision)) {
                        footprints.put(precision, footprint(setup, options));
                    }
                    measure(setup, checkpoint.name(), options, table, speedups);
                }
            }
        }
        StringJoiner note = new StringJoiner(" ");
        note.add(
                ("Prompts of %d tokens, completions of %d, %d thread(s), exit after layer %d. The"
                                + " layers after the exit add to the hidden states what is given as"
                                + " later, times what the earlier ones add; accepted and speedup are"
                                + " measured.")
                        .formatted(
                                PROMPT_TOKENS,
                                NEW_TOKENS,
                                setup.settings().threads(),
                                LargeCheckpoint.exitLayers(setup).get(0)));
        footprints.values().forEach(note::add);
        return new Section(
                this,
                note.toString(),
                table,
                Chart.curves(
                        "Speedup of auto after the first token",
                        "share of 3 drafts that is accepted",
                        "times plain",
                        speedups));
    }

    private static void measure(
            ExperimentSetup setup,
            String later,
            Configuration options,
            Table table,
            Map<String, List<List<Double>>> speedups)
            throws Exception {
        Precision precision = options.get(LayerSkipOptions.PRECISION);
        try (ConfiguredEngine opened = open(options)) {
            List<Contender> contenders = contenders(opened.engine());
            for (Level level : LEVELS) {
                List<Measurement> measured =
                        new Comparison(prompts(setup, level.prompts()), setup.rounds())
                                .run(contenders, level.inFlight());
                for (Measurement each : measured) {
                    table.row(
                            precision,
                            later,
                            level.inFlight(),
                            each.name(),
                            100 * each.acceptanceRate(),
                            each.draftedPerPrompt(),
                            each.tokenMicros().getPercentile(50) / 1e3,
                            Spread.of(each.tokenSpeedup()));
                }
                Measurement automatic = measured.get(measured.size() - 1);
                speedups.computeIfAbsent(
                                "%s, %d in flight".formatted(precision, level.inFlight()),
                                name -> new ArrayList<>())
                        .add(
                                List.of(
                                        measured.get(CHARTED).acceptanceRate(),
                                        automatic.tokenSpeedup().getPercentile(50)));
            }
        }
    }

    private static List<Contender> contenders(GenerationEngine engine) {
        GenerationParameters.Builder parameters =
                GenerationParameters.builder().temperature(0).maxTokens(NEW_TOKENS).ignoreEos(true);
        Contender automatic = new EngineContender("auto", engine, parameters.build());
        List<Contender> contenders = new ArrayList<>();
        contenders.add(
                new EngineContender("plain", engine, parameters.numAssistantTokens(0).build()));
        for (int drafts : DRAFTS) {
            contenders.add(
                    new EngineContender(
                            "%d drafts".formatted(drafts),
                            engine,
                            parameters.numAssistantTokens(drafts).build()));
        }
        contenders.add(automatic);
        return contenders;
    }

    private static List<String> prompts(ExperimentSetup setup, int count) {
        List<String> prompts = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            prompts.add(Lengths.cut(setup, i, PROMPT_TOKENS));
        }
        return prompts;
    }

    /**
     * Load time and memory, before this process has an engine too: there may be no room for two.
     */
    private static String footprint(ExperimentSetup setup, Configuration options) throws Exception {
        String prompt = Lengths.cut(setup, 0, PROMPT_TOKENS);
        Configuration plain =
                new Configuration(options).set(LayerSkipOptions.NUM_ASSISTANT_TOKENS, "0");
        Object withoutDrafts = ResidentMemory.ofEngine(plain, prompt);
        Object withDrafts = ResidentMemory.ofEngine(options, prompt);
        long start = System.nanoTime();
        open(options).close();
        double seconds = (double) (System.nanoTime() - start) / TimeUnit.SECONDS.toNanos(1);
        return "%s: loaded in %.1f s, resident MiB %s with drafts off, %s with drafts on."
                .formatted(
                        options.get(LayerSkipOptions.PRECISION),
                        seconds,
                        withoutDrafts,
                        withDrafts);
    }

    private static ConfiguredEngine open(Configuration options) throws Exception {
        return ConfiguredEngine.open(
                LayerSkipConfiguration.from(options), LargeModel.class.getClassLoader(), 1);
    }
}
