package io.layerskip.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.apache.commons.math3.stat.descriptive.DescriptiveStatistics;

/**
 * Measures one figure of several contenders, which take turns, each time another one first. A first
 * round, to warm up, does not count.
 */
final class Turns {

    private final int rounds;
    private final List<String> names = new ArrayList<>();
    private final List<Callable<Double>> figures = new ArrayList<>();

    /**
     * @param rounds that count, at least 1
     */
    Turns(int rounds) {
        this.rounds = rounds;
    }

    Turns add(String name, Callable<Double> figure) {
        names.add(name);
        figures.add(figure);
        return this;
    }

    /** The name of the contender that was added as that one. */
    String name(int contender) {
        return names.get(contender);
    }

    /** A value a round, in their order, for each contender. */
    List<DescriptiveStatistics> take() throws Exception {
        List<DescriptiveStatistics> values = new ArrayList<>();
        figures.forEach(figure -> values.add(new DescriptiveStatistics()));
        for (int round = 0; round <= rounds; round++) {
            for (int i = 0; i < figures.size(); i++) {
                int next = (i + round) % figures.size();
                double value = figures.get(next).call();
                if (round > 0) {
                    values.get(next).addValue(value);
                }
            }
        }
        return values;
    }
}
