package io.layerskip.bench;

import io.layerskip.engine.GenerationEngine;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

/** Whether memory stays what it is over very many requests. */
final class Endurance implements Experiment {

    private static final int SAMPLES = 10;
    private static final int REQUESTS = 10_000;
    private static final int IN_FLIGHT = 32;

    @Override
    public String name() {
        return "endurance";
    }

    @Override
    public String title() {
        return "Memory over %d requests".formatted(SAMPLES * REQUESTS);
    }

    @Override
    public Section run(ExperimentSetup setup) throws Exception {
        Table table =
                new Table("requests", "resident MiB", "heap in use MiB", "prompts per second");
        List<String> prompts = new ArrayList<>();
        for (int i = 0; i < REQUESTS; i++) {
            prompts.add(setup.prompts().get(i % setup.prompts().size()));
        }
        List<Integer> requests = new ArrayList<>();
        List<Double> resident = new ArrayList<>();
        try (GenerationEngine engine =
                setup.open(setup.settings().toBuilder().prefixCaching(true).build())) {
            Contender contender = EngineContender.asSet("auto", engine);
            for (int i = 1; i <= SAMPLES; i++) {
                Measurement measured = new Measurement(contender.name());
                Measurement.Round round = new Measurement.Round();
                Comparison.complete(contender, prompts, IN_FLIGHT, round);
                measured.add(round, round);
                System.gc();
                Runtime heap = Runtime.getRuntime();
                OptionalLong kib = ResidentMemory.residentKib();
                table.row(
                        i * REQUESTS,
                        kib.isPresent() ? kib.getAsLong() / 1024 : "not known",
                        (heap.totalMemory() - heap.freeMemory()) >> 20,
                        measured.promptsPerSecond().getElement(0));
                requests.add(i * REQUESTS);
                resident.add(kib.orElse(0) / 1024.0);
            }
        }
        return new Section(
                this,
                "%d requests in flight, prefix caching on.".formatted(IN_FLIGHT),
                table,
                Chart.lines(
                        "Resident memory",
                        "requests",
                        requests,
                        "MiB",
                        Map.of("resident", resident)));
    }
}
