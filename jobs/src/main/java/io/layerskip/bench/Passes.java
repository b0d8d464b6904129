package io.layerskip.bench;

import io.layerskip.engine.EngineSettings;
import io.layerskip.flink.ConfiguredCheckpoint;
import io.layerskip.flink.LayerSkipConfiguration;
import io.layerskip.flink.LayerSkipOptions;
import io.layerskip.forward.KeyValueBlock;
import io.layerskip.forward.KeyValueCache;
import io.layerskip.forward.KeyValueMemory;
import io.layerskip.forward.LayerSkipModel;
import io.layerskip.forward.Precision;
import io.layerskip.forward.RaggedBatch;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import org.apache.commons.math3.stat.descriptive.DescriptiveStatistics;
import org.apache.flink.configuration.Configuration;

/**
 * What a pass costs by its rows: of the layers before and after the exit and of the head. What a
 * further row adds is what a draft's verification costs.
 */
final class Passes implements Experiment {

    private static final List<Integer> ROWS = List.of(1, 2, 3, 4, 5, 6, 8, 12, 16);
    private static final List<Integer> THREADS = List.of(1, 2);

    /** Until then the JVM has compiled what a pass runs. */
    private static final long WARM_UP = TimeUnit.SECONDS.toNanos(1);

    @Override
    public String name() {
        return "passes";
    }

    @Override
    public String title() {
        return "Milliseconds a pass, over its rows";
    }

    @Override
    public Section run(ExperimentSetup setup) throws Exception {
        List<String> columns = new ArrayList<>(List.of("precision", "threads", "pass"));
        ROWS.forEach(rows -> columns.add(rows == 1 ? "1 row" : rows + " rows"));
        Table table = new Table(columns.toArray(String[]::new));
        List<Chart> charts = new ArrayList<>();
        List<Integer> threads =
                setup.options().getOptional(LayerSkipOptions.THREADS).map(List::of).orElse(THREADS);
        try (LargeCheckpoint.Opened opened = LargeCheckpoint.all(setup).get(0).open()) {
            for (Precision precision : setup.precisions()) {
                Map<String, List<Double>> series = new LinkedHashMap<>();
                for (int count : threads) {
                    Configuration options =
                            opened.options(precision).set(LayerSkipOptions.THREADS, count);
                    measure(options, setup.rounds())
                            .forEach(
                                    (pass, millis) -> {
                                        List<Object> row =
                                                new ArrayList<>(List.of(precision, count, pass));
                                        row.addAll(millis);
                                        table.row(row.toArray());
                                        series.put(
                                                "%s, %d thread(s)".formatted(pass, count), millis);
                                    });
                }
                charts.add(Chart.lines(precision.toString(), "rows", ROWS, "ms a pass", series));
            }
        }
        return new Section(
                this,
                "Rows stand at the beginning of one sequence, so attention has next to no part in"
                        + " it. The sizes take turns; a figure is the median of %d."
                                .formatted(setup.rounds()),
                table,
                charts.toArray(Chart[]::new));
    }

    /** The median of each pass's times in ms, in the order of {@link #ROWS}. */
    private static Map<String, List<Double>> measure(Configuration options, int rounds)
            throws IOException {
        LayerSkipConfiguration configuration = LayerSkipConfiguration.from(options);
        EngineSettings settings = configuration.toEngineSettings(1);
        try (ConfiguredCheckpoint opened =
                        ConfiguredCheckpoint.open(configuration, Passes.class.getClassLoader());
                LayerSkipModel model =
                        new LayerSkipModel(
                                opened.checkpoint(),
                                settings.exitLayers(),
                                settings.precision(),
                                settings.cacheFolder(),
                                settings.threads())) {
            KeyValueMemory memory =
                    new KeyValueMemory(
                            model.config(), settings.kvCacheType(), settings.kvCacheBytes());
            try (KeyValueCache cache = new KeyValueCache(memory)) {
                cache.reserve(KeyValueBlock.TOKENS);
                List<Map<Integer, DescriptiveStatistics>> times = times(model, cache, rounds);
                Map<String, List<Double>> medians = new LinkedHashMap<>();
                List<String> names = names(settings.exitLayers(), model);
                for (int pass = 0; pass < names.size(); pass++) {
                    Map<Integer, DescriptiveStatistics> ofPass = times.get(pass);
                    medians.put(
                            names.get(pass),
                            ROWS.stream().map(rows -> ofPass.get(rows).getPercentile(50)).toList());
                }
                return medians;
            }
        }
    }

    /** Times in ms by the number of rows, for each segment and the head. */
    private static List<Map<Integer, DescriptiveStatistics>> times(
            LayerSkipModel model, KeyValueCache cache, int rounds) {
        for (int row = 0; row < LayerSkipModel.MAX_LOGIT_ROWS; row++) {
            model.embed(row % model.config().vocabSize(), row);
        }
        long end = System.nanoTime() + WARM_UP;
        do {
            ROWS.forEach(rows -> run(model, cache, rows));
        } while (System.nanoTime() < end);
        List<Map<Integer, DescriptiveStatistics>> times = new ArrayList<>();
        for (int pass = 0; pass <= model.segments(); pass++) {
            times.add(new LinkedHashMap<>());
        }
        model.onPass(
                (pass, rows, nanos) ->
                        times.get(pass)
                                .computeIfAbsent(rows, count -> new DescriptiveStatistics())
                                .addValue((double) nanos / TimeUnit.MILLISECONDS.toNanos(1)));
        for (int round = 0; round < rounds; round++) {
            ROWS.forEach(rows -> run(model, cache, rows));
        }
        return times;
    }

    /** All segments and the head over so many rows. */
    private static void run(LayerSkipModel model, KeyValueCache cache, int rows) {
        RaggedBatch batch = new RaggedBatch();
        batch.add(cache, 0, rows);
        model.forwardEarly(model.segments(), batch);
        for (int row = 0; row < rows; row++) {
            model.headInput().write(row, model.states(model.segments()), row);
        }
        model.logits(rows);
    }

    private static List<String> names(List<Integer> exitLayers, LayerSkipModel model) {
        List<String> names = new ArrayList<>();
        TreeSet<Integer> ends = new TreeSet<>(exitLayers);
        ends.add(model.config().numHiddenLayers());
        int from = 0;
        for (int to : ends) {
            names.add("layers [%d, %d)".formatted(from, to));
            from = to;
        }
        names.add("head");
        return names;
    }
}
