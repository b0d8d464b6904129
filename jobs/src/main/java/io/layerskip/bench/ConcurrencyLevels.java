package io.layerskip.bench;

import io.layerskip.engine.GenerationEngine;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.commons.math3.stat.descriptive.DescriptiveStatistics;

/** Throughput and latency from one request at a time to many. */
final class ConcurrencyLevels implements Experiment {

    private static final List<Integer> LEVELS = List.of(1, 2, 4, 8, 16, 32, 64);

    @Override
    public String name() {
        return "concurrency";
    }

    @Override
    public String title() {
        return "Throughput and latency over the requests in flight";
    }

    @Override
    public Section run(ExperimentSetup setup) throws Exception {
        Table table =
                new Table(
                        "in flight",
                        "decoding",
                        "tokens per second",
                        "times plain",
                        "times one plain stream",
                        "p50 ms",
                        "p95 ms",
                        "same text as plain");
        Map<String, List<Double>> throughput = new LinkedHashMap<>();
        Map<String, List<Double>> latency = new LinkedHashMap<>();
        int most = LEVELS.get(LEVELS.size() - 1);
        double oneStream = 0;
        try (GenerationEngine engine =
                setup.open(setup.settings().toBuilder().maxBatchSize(most).build())) {
            List<Contender> contenders = new ArrayList<>();
            contenders.add(EngineContender.plain(engine));
            setup.draftLengths().forEach(k -> contenders.add(EngineContender.fixed(engine, k)));
            contenders.add(EngineContender.asSet("auto", engine));
            for (int level : LEVELS) {
                for (Measurement measured : setup.comparison().run(contenders, level)) {
                    Spread tokens = Spread.of(measured.tokensPerSecond());
                    oneStream = oneStream == 0 ? tokens.median() : oneStream;
                    DescriptiveStatistics millis = measured.latencyMillis();
                    table.row(
                            level,
                            measured.name(),
                            tokens,
                            Spread.of(measured.speedup()),
                            tokens.median() / oneStream,
                            millis.getPercentile(50),
                            millis.getPercentile(95),
                            "%d of %d".formatted(measured.agreeing(), setup.prompts().size()));
                    throughput
                            .computeIfAbsent(measured.name(), name -> new ArrayList<>())
                            .add(tokens.median());
                    latency.computeIfAbsent(measured.name(), name -> new ArrayList<>())
                            .add(millis.getPercentile(95));
                }
            }
        }
        return new Section(
                this,
                "One engine on %d thread(s). A request's latency includes its wait for its turn."
                        .formatted(setup.settings().threads()),
                table,
                Chart.lines("Throughput", "in flight", LEVELS, "tokens per second", throughput),
                Chart.lines("Latency", "in flight", LEVELS, "p95, ms", latency));
    }
}
