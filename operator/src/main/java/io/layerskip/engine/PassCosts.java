package io.layerskip.engine;

import ai.onnxruntime.OrtException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * What a pass costs for a number of rows, in µs: of each segment and of the head. Measured on the
 * machine, when the engine opens; between the sizes that were measured, and beyond them, costs are
 * interpolated. From then on, every pass corrects what its segment, or the head, costs.
 */
final class PassCosts {

    private static final int[] SIZES = {1, 2, 4, 6, 8, 12, 16, 32, 64, 128};
    private static final long TIME_LIMIT = TimeUnit.SECONDS.toNanos(2);
    private static final int REPETITIONS = 5;

    /** Until then the JVM has compiled what a pass runs. */
    private static final long WARM_UP = TimeUnit.MILLISECONDS.toNanos(500);

    /** Of the sizes: small passes are most of what an engine does. */
    private static final int WARM_UP_SIZES = 6;

    /** Weight of a new pass in the corrections. */
    private static final double NEW = 0.01;

    /** A pass that took this many times what was expected was interrupted by something else. */
    private static final double OUTLIER = 4;

    private final double[][] segments;
    private final double[] head;
    private final double[] corrections;

    /** Costs that are given, [segment][rows] and [rows], each from 0 rows on. */
    PassCosts(double[][] segments, double[] head) {
        this.segments = segments;
        this.head = head;
        this.corrections = new double[segments.length + 1];
        Arrays.fill(corrections, 1);
    }

    /** Costs for an engine that decides nothing by them: a row costs the same everywhere. */
    static PassCosts unmeasured(int segments) {
        double[] rows = new double[LayerSkipModel.MAX_ROWS + 1];
        Arrays.setAll(rows, row -> row);
        double[][] each = new double[segments][];
        Arrays.fill(each, rows);
        return new PassCosts(each, rows);
    }

    /**
     * Measures a model that nobody uses yet; takes about a second, and for a large model little
     * more than {@code TIME_LIMIT}.
     *
     * @param cache empty; room for one block is needed
     */
    static PassCosts measure(LayerSkipModel model, KeyValueCache cache) throws OrtException {
        int blockRows = KeyValueBlock.TOKENS;
        if (!cache.reserve(blockRows)) {
            throw new IllegalStateException("no room for one block of keys and values");
        }
        long start = System.nanoTime();
        for (int row = 0; row < LayerSkipModel.MAX_LOGIT_ROWS; row++) {
            model.embed(row % model.config().vocabSize(), row);
            model.headInput().write(row, model.states(0), row);
        }
        List<Pass> passes = new ArrayList<>();
        for (int i = 0; i < model.segments(); i++) {
            int segment = i;
            Spans spans = new Spans();
            passes.add(
                    rows -> {
                        spans.clear();
                        for (int left = rows; left > 0; left -= blockRows) {
                            spans.add(cache, 0, Math.min(left, blockRows));
                        }
                        model.forward(segment, spans);
                    });
        }
        passes.add(rows -> model.logits(Math.min(rows, LayerSkipModel.MAX_LOGIT_ROWS)));
        for (int i = 0; System.nanoTime() < start + WARM_UP; i++) {
            passes.get(i % passes.size()).run(SIZES[i / passes.size() % WARM_UP_SIZES]);
        }
        long deadline = start + TIME_LIMIT;
        double[][] segments = new double[model.segments()][];
        for (int i = 0; i < segments.length; i++) {
            segments[i] = curve(SIZES.length, deadline, passes.get(i));
        }
        int headSizes = Arrays.binarySearch(SIZES, LayerSkipModel.MAX_LOGIT_ROWS) + 1;
        return new PassCosts(segments, curve(headSizes, deadline, passes.get(segments.length)));
    }

    @FunctionalInterface
    private interface Pass {
        void run(int rows) throws OrtException;
    }

    /** The cost of each number of rows, never falling. */
    private static double[] curve(int sizes, long deadline, Pass pass) throws OrtException {
        double[] costs = new double[LayerSkipModel.MAX_ROWS + 1];
        int measured = 0;
        double slope = 0;
        for (int i = 0; i < sizes && (i < 2 || System.nanoTime() < deadline); i++) {
            double cost = Math.max(costs[measured], time(pass, SIZES[i]));
            slope = (cost - costs[measured]) / (SIZES[i] - measured);
            fill(costs, measured, SIZES[i], slope);
            measured = SIZES[i];
        }
        fill(costs, measured, LayerSkipModel.MAX_ROWS, Math.max(slope, costs[measured] / measured));
        return costs;
    }

    private static void fill(double[] costs, int from, int to, double slope) {
        for (int rows = from + 1; rows <= to; rows++) {
            costs[rows] = costs[from] + slope * (rows - from);
        }
    }

    private static double time(Pass pass, int rows) throws OrtException {
        double[] micros = new double[REPETITIONS];
        for (int i = 0; i < REPETITIONS; i++) {
            long start = System.nanoTime();
            pass.run(rows);
            micros[i] = (System.nanoTime() - start) / 1e3;
        }
        Arrays.sort(micros);
        return micros[REPETITIONS / 2];
    }

    /** Corrects the cost of a segment by a pass that it took. */
    void observe(int segment, int rows, double micros) {
        correct(segment, micros, segments[segment][rows]);
    }

    /** Corrects the cost of the head. */
    void observeHead(int rows, double micros) {
        correct(segments.length, micros, head[rows]);
    }

    private void correct(int index, double micros, double measured) {
        double expected = measured * corrections[index];
        if (expected > 0) {
            double ratio = Math.min(micros / expected, OUTLIER);
            corrections[index] *= 1 + NEW * (ratio - 1);
        }
    }

    /** Segments [from, to) over so many rows. */
    double segments(int from, int to, int rows) {
        double cost = 0;
        for (int i = from; i < to; i++) {
            cost += segments[i][rows] * corrections[i];
        }
        return cost;
    }

    int segments() {
        return segments.length;
    }

    double head(int rows) {
        return head[Math.min(rows, head.length - 1)] * corrections[segments.length];
    }
}
