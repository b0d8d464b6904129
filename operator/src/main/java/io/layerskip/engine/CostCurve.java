package io.layerskip.engine;

import java.util.Arrays;

/**
 * What a pass costs by its number of rows, in µs: straight lines between knots, and on beyond the
 * last one. Every pass that was taken moves the knots beside its size, by much while they are new,
 * and the whole curve a little, as a machine that gets slower does so for passes of any size.
 *
 * <p>Whatever the passes took, every cost is positive and finite, more rows never cost less, and
 * the curve stays within what was seen. That is: the ratio of a cost to the cost at first, before
 * any pass, is never below the smallest and never above the largest such ratio that a pass had. The
 * first costs were seen as well, so 1 is among these ratios. Not thread-safe.
 */
final class CostCurve {

    /** Weight of a pass for the whole curve, and for the knots beside it once they saw many. */
    private static final double NEW = 0.01;

    /** Passes that a knot's first value counts for. */
    private static final double PRIOR = 2;

    /** A pass that took more than this many times its cost was interrupted; it counts as this. */
    static final double OUTLIER = 4;

    /** In µs; a pass that took less, or no time by the clock, counts as this. */
    static final double SHORTEST = 1e-3;

    private final int[] sizes;
    private final double[] first;
    private final double[] costs;
    private final double[] seen;
    private double least = 1;
    private double most = 1;

    /**
     * @param sizes rows, rising, from 1 on, at least two
     * @param micros what passes of those sizes took; one that took longer than a larger one was
     *     interrupted, and is taken to cost no more than that
     */
    CostCurve(int[] sizes, double[] micros) {
        this.sizes = sizes.clone();
        this.costs = Arrays.stream(micros).map(cost -> Math.max(cost, SHORTEST)).toArray();
        this.seen = new double[sizes.length];
        keepRising(costs.length - 1);
        this.first = costs.clone();
    }

    /** The cost of a pass over so many rows; of none, 0. */
    double at(int rows) {
        if (rows == 0) {
            return 0;
        }
        double cost = line(costs, rows);
        // Between two knots that are within the range, so is the line.
        return rows <= sizes[sizes.length - 1] ? cost : withinRange(cost, line(first, rows));
    }

    /** Learns from a pass. */
    void observe(int rows, double micros) {
        double expected = at(rows);
        double taken = Math.min(Math.max(micros, SHORTEST), OUTLIER * expected);
        double ratio = taken / line(first, rows);
        least = Math.min(least, ratio);
        most = Math.max(most, ratio);
        double error = taken - expected;
        int right = rightOf(rows);
        double share = share(rows, right);
        // Beyond the last knot, only that one moves: a slow pass must not make others cheaper.
        double leftShare = Math.max(0, 1 - share);
        double step = error / (share * share + leftShare * leftShare);
        move(right - 1, leftShare, step);
        move(right, share, step);
        keepRising(share < 0.5 ? right - 1 : right);
        for (int knot = 0; knot < costs.length; knot++) {
            costs[knot] = withinRange(costs[knot] * (1 + NEW * error / expected), first[knot]);
        }
    }

    /** A step of the least mean squares method, normalised (Widrow and Hoff, 1960). */
    private void move(int knot, double share, double step) {
        costs[knot] += Math.max(NEW, 1 / (PRIOR + seen[knot])) * share * step;
        seen[knot] += Math.min(1, share);
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

    private double withinRange(double cost, double atFirst) {
        return Math.max(least * atFirst, Math.min(cost, most * atFirst));
    }

    private double line(double[] values, int rows) {
        int right = rightOf(rows);
        return values[right - 1] + share(rows, right) * (values[right] - values[right - 1]);
    }

    /** The first knot that is larger than a size, or the last one. */
    private int rightOf(int rows) {
        int found = Arrays.binarySearch(sizes, rows);
        return Math.min(found < 0 ? -found - 1 : found + 1, sizes.length - 1);
    }

    /** How far a size is on the way from the knot on the left, 0, to the one on the right, 1. */
    private double share(int rows, int right) {
        return (double) (rows - sizes[right - 1]) / (sizes[right] - sizes[right - 1]);
    }
}
