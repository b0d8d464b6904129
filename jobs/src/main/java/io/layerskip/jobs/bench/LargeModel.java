package io.layerskip.jobs.bench;

import io.layerskip.engine.EngineSettings;
import io.layerskip.engine.GenerationEngine;
import io.layerskip.engine.GenerationParameters;
import io.layerskip.engine.GenerationRequest;
import io.layerskip.engine.GenerationStatistics;
import io.layerskip.forward.Precision;
import io.layerskip.model.Checkpoint;
import io.layerskip.model.ModelFolder;
import io.layerskip.model.RandomCheckpoint;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.commons.math3.stat.descriptive.DescriptiveStatistics;

/**
 * What a model of the shape of Llama 3.2 1B costs. Its weights are random, so its early layers
 * guess nothing right: how fast a trained one would be is computed from the time of a round and a
 * rate of acceptance that is assumed.
 */
final class LargeModel implements Experiment {

    private static final String CONFIG = "bench/llama-3.2-1B.config.json";
    private static final int EXIT = 4;
    private static final List<Integer> DRAFTS = List.of(2, 4, 6);
    private static final List<Double> ACCEPTANCE = List.of(0.0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 1.0);
    private static final int PROMPT_TOKENS = 64;
    private static final int NEW_TOKENS = 5;
    private static final int ROUNDS = 3;

    @Override
    public String name() {
        return "large-model";
    }

    @Override
    public String title() {
        return "A model of Llama 3.2 1B's shape, random weights";
    }

    @Override
    public Section run(Bench bench) throws Exception {
        List<String> columns =
                new ArrayList<>(
                        List.of(
                                "precision",
                                "load s",
                                "resident MiB, drafts off",
                                "and on",
                                "prefill, tokens per second",
                                "decode, tokens per second"));
        ACCEPTANCE.forEach(rate -> columns.add("simulated speedup at " + rate));
        Table table = new Table(columns.toArray(String[]::new));
        Map<String, List<Double>> speedups = new LinkedHashMap<>();
        Path tokenizer = bench.checkpoint().folder().resolve("tokenizer.json");
        try (ModelFolder folder = RandomCheckpoint.write(Report.resource(CONFIG), tokenizer);
                Checkpoint checkpoint = Checkpoint.open(folder.path())) {
            for (Precision precision : Precision.values()) {
                EngineSettings settings =
                        EngineSettings.builder(EXIT)
                                .precision(precision)
                                .threads(bench.settings().threads())
                                .prefixCaching(false)
                                .build();
                List<Object> row = new ArrayList<>(List.of(precision));
                speedups.put(precision.toString(), measure(checkpoint, settings, bench, row));
                row.addAll(speedups.get(precision.toString()));
                table.row(row.toArray());
            }
        }
        return new Section(
                this,
                ("Exit after layer %d, %d thread(s), prompts of %d tokens. The speedup is simulated:"
                                + " the measured time of a plain step and of a round with %s"
                                + " drafts, the best of them, with the tokens that a round would"
                                + " bring if every draft were accepted at the given rate.")
                        .formatted(EXIT, bench.settings().threads(), PROMPT_TOKENS, DRAFTS),
                table,
                Chart.lines(
                        "Simulated speedup after the first token",
                        "acceptance",
                        ACCEPTANCE,
                        "times plain",
                        speedups));
    }

    /** Adds load time, memory, prefill and decode to a row and returns the simulated speedups. */
    private static List<Double> measure(
            Checkpoint checkpoint, EngineSettings settings, Bench bench, List<Object> row)
            throws Exception {
        String prompt = Lengths.cut(bench, 0, PROMPT_TOKENS);
        // Before this process has an engine too: there may be no room for two.
        for (EngineSettings drafts :
                List.of(settings.toBuilder().defaults(EngineContender.PLAIN).build(), settings)) {
            row.add(ResidentMemory.ofEngine(checkpoint.folder(), drafts, prompt));
        }
        long start = System.nanoTime();
        try (GenerationEngine engine = GenerationEngine.open(checkpoint, settings)) {
            row.add(1, seconds(System.nanoTime() - start));
            DescriptiveStatistics prefill = new DescriptiveStatistics();
            DescriptiveStatistics step = new DescriptiveStatistics();
            Map<Integer, DescriptiveStatistics> rounds = new LinkedHashMap<>();
            DRAFTS.forEach(drafts -> rounds.put(drafts, new DescriptiveStatistics()));
            for (int i = 0; i < ROUNDS; i++) {
                GenerationStatistics plain = generate(engine, prompt, 0);
                double firstToken = seconds(plain.timeToFirstTokenNanos());
                prefill.addValue(plain.promptTokens() / firstToken);
                step.addValue(secondsARound(plain));
                for (int drafts : DRAFTS) {
                    rounds.get(drafts).addValue(secondsARound(generate(engine, prompt, drafts)));
                }
            }
            row.add(Spread.of(prefill));
            row.add(1 / step.getPercentile(50));
            return ACCEPTANCE.stream()
                    .map(acceptance -> simulated(acceptance, step, rounds))
                    .toList();
        }
    }

    private static GenerationStatistics generate(GenerationEngine engine, String prompt, int drafts)
            throws Exception {
        GenerationParameters parameters =
                GenerationParameters.builder()
                        .temperature(0)
                        .numAssistantTokens(drafts)
                        .maxTokens(NEW_TOKENS + drafts)
                        .ignoreEos(true)
                        .build();
        return engine.submit(new GenerationRequest("large", prompt, parameters))
                .result()
                .get()
                .statistics();
    }

    private static double secondsARound(GenerationStatistics statistics) {
        return seconds(statistics.totalNanos() - statistics.timeToFirstTokenNanos())
                / statistics.rounds();
    }

    private static double seconds(long nanos) {
        return (double) nanos / TimeUnit.SECONDS.toNanos(1);
    }

    /** The best draft length's tokens a second, divided by plain decoding's. */
    private static double simulated(
            double acceptance,
            DescriptiveStatistics step,
            Map<Integer, DescriptiveStatistics> rounds) {
        double best = 0;
        for (Map.Entry<Integer, DescriptiveStatistics> round : rounds.entrySet()) {
            double tokens = 1;
            double survival = 1;
            for (int i = 0; i < round.getKey(); i++) {
                survival *= acceptance;
                tokens += survival;
            }
            double speedup = tokens * step.getPercentile(50) / round.getValue().getPercentile(50);
            best = Math.max(best, speedup);
        }
        return best;
    }
}
