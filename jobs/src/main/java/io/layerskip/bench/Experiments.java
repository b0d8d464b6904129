package io.layerskip.bench;

import java.util.List;
import java.util.ServiceLoader;
import java.util.stream.Stream;

/** All experiments: those that every build has, and those that a profile added. */
public final class Experiments {

    private static final List<Experiment> ALL =
            Stream.concat(
                            Stream.of(
                                    new OneStream(),
                                    new ConcurrencyLevels(),
                                    new ExitLayers(),
                                    new Precisions(),
                                    new Lengths(),
                                    new SharedPrefix(),
                                    new WholeJob(),
                                    new KafkaLatency(),
                                    new Endurance(),
                                    new LargeModel(),
                                    new Passes()),
                            ServiceLoader.load(Experiment.class).stream()
                                    .map(ServiceLoader.Provider::get))
                    .toList();

    private Experiments() {}

    /** What {@code --only} may name. */
    public static List<String> names() {
        return ALL.stream().map(Experiment::name).toList();
    }

    static Experiment named(String name) {
        return ALL.stream()
                .filter(experiment -> experiment.name().equals(name))
                .findFirst()
                .orElseThrow();
    }
}
