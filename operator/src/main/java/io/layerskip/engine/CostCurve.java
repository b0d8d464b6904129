package io.layerskip.engine;

import java.util.Arrays;

/**
 * What a pass costs by its number of rows, in µs: straight lines between knots, and on beyond the
 * last one. Every pass that was taken moves the knots beside its size, by much while they are new,
 * and the whole curve a little, as a machine that gets slower does so for passes of any size. More
 * rows never cost less. Not thread-safe.
 */
final class CostCurve {

    /** Weight of a pass for the whole curve, and for the knots beside it once they saw many. */
    private static final double NEW = 0.01;

    /** Passes that a knot's first value counts for. */
    private static final double PRIOR = 2;

    /** A pass that took this many times what was expected was interrupted by something else. */
    private static final double OUTLIER = 4;

    private final int[] sizes;
    private final double[] costs;
    private final double[] seen;
    private double scale = 1;

    /**
     * @param sizes rows, rising, from 1 on, at least two
     * @param micros what passes of those sizes took; one that took longer than a larger one was
     *     interrupted, and is taken to cost no more than that
     */
    CostCurve(int[] sizes, double[] micros) {
        this.sizes = sizes.clone();
        this.costs = micros.clone();
        this.seen = new double[sizes.length];
        keepRising(costs.length - 1);
    }

    /** The cost of a pass over so many rows; of none, 0. */
    double at(int rows) {
        if (rows == 0) {
            return 0;
        }
        int right = rightOf(rows);
        double share = share(rows, right);
        return scale * (costs[right - 1] * (1 - share) + costs[right] * share);
    }

    /** Learns from a pass. */
    void observe(int rows, double micros) {
        double expected = at(rows);
        double error = Math.min(micros, OUTLIER * expected) - expected;
        int right = rightOf(rows);
        double share = share(rows, right);
        double step = error / scale / (share * share + (1 - share) * (1 - share));
        move(right - 1, 1 - share, step);
        move(right, share, step);
        keepRising(share < 0.5 ? right - 1 : right);
        scale *= 1 + NEW * error / expected;
    }

    /** A step of the least mean squares method, normalised (Widrow and Hoff, 1960). */
    private void move(int knot, double share, double step) {
        costs[knot] += Math.max(NEW, 1 / (PRIOR + seen[knot])) * share * step;
        seen[knot] += Math.abs(share);
    }

    /** Has the other knots follow where one has overtaken them. */
    private void keepRising(int moved) {
        for (int knot = moved - 1; knot >= 0; knot--) {
            costs[knot] = Math.min(costs[knot], costs[knot + 1]);
        }
        for (int knot = moved + 1; knot < costs.length; knot++) {
            costs[knot] = Math.max(costs[knot], costs[knot - 1]);
        }
    }

    /** The knot to the right of a size, or the last one; never the first. */
    private int rightOf(int rows) {
        int found = Arrays.binarySearch(sizes, rows);
        int knot = found < 0 ? -found - 1 : found;
        return Math.max(1, Math.min(knot, sizes.length - 1));
    }

    /** How far a size is on the way from the knot on the left, 0, to the one on the right, 1. */
    private double share(int rows, int right) {
        return (double) (rows - sizes[right - 1]) / (sizes[right] - sizes[right - 1]);
    }
}
