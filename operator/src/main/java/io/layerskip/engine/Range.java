package io.layerskip.engine;

import org.apache.flink.annotation.PublicEvolving;

/**
 * The numbers that a setting may be, and the words for them in messages and documentation.
 *
 * @param least the smallest of them
 * @param most the largest of them
 * @param words such as "from 0 to 64"
 */
@PublicEvolving
public record Range(double least, double most, String words) {

    /** The numbers from one to another, both included. */
    public static Range between(int least, int most) {
        return new Range(least, most, "from %d to %d".formatted(least, most));
    }

    /** The numbers from this one on. */
    public static Range atLeast(int least) {
        return new Range(least, Double.POSITIVE_INFINITY, "at least " + least);
    }

    /** Whether this is one of them; NaN never is. */
    public boolean contains(double number) {
        return number >= least && number <= most;
    }

    /**
     * @throws IllegalArgumentException if the number is none of them
     */
    void check(String name, Number number) {
        if (!contains(number.doubleValue())) {
            throw new IllegalArgumentException(
                    "%s is %s; allowed: %s".formatted(name, number, words));
        }
    }
}
