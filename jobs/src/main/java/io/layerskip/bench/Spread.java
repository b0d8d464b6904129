package io.layerskip.bench;

import org.apache.commons.math3.stat.descriptive.DescriptiveStatistics;

/**
 * What the rounds of a measurement gave.
 *
 * @param median the middle one
 * @param least the smallest
 * @param most the greatest
 */
record Spread(double median, double least, double most) {

    static Spread of(DescriptiveStatistics rounds) {
        return new Spread(rounds.getPercentile(50), rounds.getMin(), rounds.getMax());
    }
}
