package io.layerskip.engine;

import io.layerskip.forward.KeyValueBlock;
import io.layerskip.forward.KeyValueCache;
import io.layerskip.forward.LayerSkipModel;
import io.layerskip.forward.RaggedBatch;
import io.layerskip.forward.TokenRows;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;

/**
 * What passes cost, of each segment, of the head and of the draft head, and the choice of a token
 * by its logits, in µs. Measured on the machine, when the engine opens, which may be busy with
 * opening others then; so every pass corrects it later.
 */
final class PassCosts {

    private static final int[] SIZES = {1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 32, 64, 128};

    /** In the order in which they are timed: those that tell most of the others come first. */
    private static final int[] TIMED = {1, 8, 2, 4, 6, 3, 5, 7, 16, 32, 64, 128, 12};

    /** Of these, where passes are long. */
    private static final int LEAST_TIMED = 4;

    private static final long TIME_LIMIT = TimeUnit.MILLISECONDS.toNanos(1500);
    private static final int REPETITIONS = 5;

    /** A pass that takes so long is timed once: what disturbs it is little against that. */
    private static final double LONG_MICROS = 5e3;

    /** Until then the JVM has compiled what a pass runs; of a long one, that is little. */
    private static final long WARM_UP = TimeUnit.MILLISECONDS.toNanos(500);

    /** Of the sizes: small passes are most of what an engine does. */
    private static final int WARM_UP_SIZES = 8;

    private final List<CostCurve> segments;
    private final CostCurve head;
    private final Optional<CostCurve> draftHead;
    private final ChoiceCosts choices;

    /**
     * @param draftHead empty for a model that has none
     */
    PassCosts(
            List<CostCurve> segments,
            CostCurve head,
            Optional<CostCurve> draftHead,
            ChoiceCosts choices) {
        this.segments = List.copyOf(segments);
        this.head = head;
        this.draftHead = draftHead;
        this.choices = choices;
    }

    /** Costs for an engine that decides nothing by them: a row costs the same everywhere. */
    static PassCosts unmeasured(int segments) {
        CostCurve curve = new CostCurve(new int[] {1, 2}, new double[] {1, 2});
        return new PassCosts(
                Collections.nCopies(segments, curve),
                curve,
                Optional.empty(),
                new ChoiceCosts(1, 1, 1));
    }

    /**
     * Measures a model that nobody uses yet; takes about a second. Of a large model few sizes are
     * timed; the passes that it then makes teach the others.
     *
     * @param cache empty; room for one block is needed
     */
    static PassCosts measure(LayerSkipModel model, KeyValueCache cache) {
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
            RaggedBatch batch = new RaggedBatch();
            passes.add(
                    rows -> {
                        batch.clear();
                        for (int left = rows; left > 0; left -= blockRows) {
                            batch.add(cache, 0, Math.min(left, blockRows));
                        }
                        model.forward(segment, batch);
                    });
        }
        passes.add(rows -> model.logits(Math.min(rows, LayerSkipModel.MAX_LOGIT_ROWS)));
        boolean longPasses = false;
        for (int i = 0; System.nanoTime() < start + WARM_UP && !longPasses; i++) {
            Pass pass = passes.get(i % passes.size());
            int size = SIZES[i / passes.size() % WARM_UP_SIZES];
            double micros = timeOnce(pass, size);
            longPasses = i >= passes.size() && micros > LONG_MICROS;
        }
        List<SortedMap<Integer, Double>> timed = new ArrayList<>();
        passes.forEach(pass -> timed.add(new TreeMap<>()));
        int count = longPasses ? LEAST_TIMED : TIMED.length;
        for (int i = 0; i < count && (i < 2 || System.nanoTime() < start + TIME_LIMIT); i++) {
            for (int pass = 0; pass < passes.size(); pass++) {
                timed.get(pass).put(TIMED[i], time(passes.get(pass), TIMED[i]));
            }
        }
        List<CostCurve> segments = new ArrayList<>();
        for (int i = 0; i < model.segments(); i++) {
            segments.add(curve(timed.get(i), Integer.MAX_VALUE));
        }
        CostCurve head = curve(timed.get(model.segments()), LayerSkipModel.MAX_LOGIT_ROWS);
        return new PassCosts(segments, head, draftHead(model), choices(model));
    }

    /** A row after another, so that further ones cost what the first does. */
    private static Optional<CostCurve> draftHead(LayerSkipModel model) {
        if (!model.hasDraftHead()) {
            return Optional.empty();
        }
        model.draftLogits(LayerSkipModel.MAX_LOGIT_ROWS);
        double micros = time(model::draftLogits, 1);
        return Optional.of(new CostCurve(new int[] {1, 2}, new double[] {micros, 2 * micros}));
    }

    private static ChoiceCosts choices(LayerSkipModel model) {
        TokenRows logits = model.logits(1);
        TokenDistribution distribution = new TokenDistribution(model.config().vocabSize());
        return new ChoiceCosts(
                time(
                        rows -> {
                            logits.argmax(0);
                            distribution.set(logits, 0);
                            distribution.confidence();
                        },
                        1),
                time(rows -> model.argmax(0), 1),
                time(
                        rows -> {
                            distribution.set(logits, 0, new Sampling(1, 0, 1));
                            distribution.sample(0, 0);
                        },
                        1));
    }

    @FunctionalInterface
    private interface Pass {
        void run(int rows);
    }

    /** A curve with all sizes up to one; those that were not timed get what the others suggest. */
    private static CostCurve curve(SortedMap<Integer, Double> timed, int largest) {
        CostCurve known =
                new CostCurve(
                        timed.keySet().stream().mapToInt(Integer::intValue).toArray(),
                        timed.values().stream().mapToDouble(Double::doubleValue).toArray());
        int[] sizes = Arrays.stream(SIZES).filter(size -> size <= largest).toArray();
        return new CostCurve(sizes, Arrays.stream(sizes).mapToDouble(known::at).toArray());
    }

    /** The least of some times, in µs: whatever else the machine does makes them longer. */
    private static double time(Pass pass, int rows) {
        double least = timeOnce(pass, rows);
        for (int i = 1; i < REPETITIONS && least < LONG_MICROS; i++) {
            least = Math.min(least, timeOnce(pass, rows));
        }
        return least;
    }

    private static double timeOnce(Pass pass, int rows) {
        long start = System.nanoTime();
        pass.run(rows);
        return (System.nanoTime() - start) / 1e3;
    }

    /**
     * Learns from a pass.
     *
     * @param pass a segment, {@link #segments()} for the head, or one more for the draft head
     */
    void observe(int pass, int rows, double micros) {
        curve(pass).observe(rows, micros);
    }

    /** A pass over so many rows. */
    double pass(int pass, int rows) {
        return curve(pass).at(rows);
    }

    private CostCurve curve(int pass) {
        if (pass < segments.size()) {
            return segments.get(pass);
        }
        return pass == segments.size() ? head : draftHead.orElseThrow();
    }

    /** What it takes to choose a token. */
    ChoiceCosts choices() {
        return choices;
    }

    /** Segments [from, to) over so many rows. */
    double segments(int from, int to, int rows) {
        double cost = 0;
        for (int i = from; i < to; i++) {
            cost += segments.get(i).at(rows);
        }
        return cost;
    }

    int segments() {
        return segments.size();
    }

    double head(int rows) {
        return head.at(rows);
    }

    /** The logits that drafts of so many rows are chosen by, in the faster of two ways. */
    double draftLogits(int rows) {
        return usesDraftHead(rows) ? draftHead.get().at(rows) : head.at(rows);
    }

    /** Whether the draft head is the faster of the two. */
    boolean usesDraftHead(int rows) {
        return draftHead.isPresent() && draftHead.get().at(rows) < head.at(rows);
    }
}
