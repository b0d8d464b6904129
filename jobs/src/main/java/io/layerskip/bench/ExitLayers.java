package io.layerskip.bench;

import io.layerskip.engine.EngineSettings;
import io.layerskip.engine.GenerationEngine;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** Where to exit and how far to draft. */
final class ExitLayers implements Experiment {

    private static final List<Integer> DRAFTS = List.of(1, 2, 3, 4, 6, 8);

    @Override
    public String name() {
        return "exits";
    }

    @Override
    public String title() {
        return "Exit layer by draft length";
    }

    @Override
    public Section run(ExperimentSetup setup) throws Exception {
        Table table =
                new Table(
                        "exit layer",
                        "drafts",
                        "accepted %",
                        "speedup after the first token",
                        "speedup of whole requests");
        List<Integer> exits = exits(setup);
        List<List<Double>> speedups = new ArrayList<>();
        List<List<Double>> acceptance = new ArrayList<>();
        for (int exit : exits) {
            // An engine for each: a cut that is not used would cost the others.
            EngineSettings settings =
                    setup.settings().toBuilder().exitLayers(List.of(exit)).build();
            List<Double> speedupsOfExit = new ArrayList<>();
            List<Double> acceptanceOfExit = new ArrayList<>();
            try (GenerationEngine engine = setup.open(settings)) {
                List<Contender> contenders = new ArrayList<>();
                contenders.add(EngineContender.plain(engine));
                DRAFTS.forEach(k -> contenders.add(EngineContender.fixed(engine, k)));
                List<Measurement> measured = setup.shortComparison().run(contenders, 1);
                for (int i = 0; i < DRAFTS.size(); i++) {
                    Measurement drafting = measured.get(i + 1);
                    Spread speedup = Spread.of(drafting.tokenSpeedup());
                    table.row(
                            exit,
                            DRAFTS.get(i),
                            100 * drafting.acceptanceRate(),
                            speedup,
                            Spread.of(drafting.speedup()));
                    speedupsOfExit.add(speedup.median());
                    acceptanceOfExit.add(100 * drafting.acceptanceRate());
                }
            }
            speedups.add(speedupsOfExit);
            acceptance.add(acceptanceOfExit);
        }
        return new Section(
                this,
                "One request at a time; plain decoding by the same engine is 1.",
                table,
                Chart.heatMap(
                        "Speedup after the first token", "drafts", DRAFTS, "exit", exits, speedups),
                Chart.heatMap("Accepted, %", "drafts", DRAFTS, "exit", exits, acceptance));
    }

    /** The exits that are set, or where that is only one, some of the model's layers. */
    private static List<Integer> exits(ExperimentSetup setup) {
        List<Integer> set = setup.settings().exitLayers();
        if (set.size() > 1) {
            return set.stream().sorted().toList();
        }
        int layers = setup.checkpoint().config().numHiddenLayers();
        return Stream.of(1, 2, 3, 4, 6, 8)
                .filter(exit -> exit <= Math.max(1, 2 * layers / 3))
                .toList();
    }
}
