package io.layerskip.connectors;

import io.layerskip.flink.CborTypeInformation;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToLongFunction;
import org.apache.flink.api.common.accumulators.LongCounter;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.OperatorStateStore;

/**
 * Counts the {@link RunTotals} of an operator: in accumulators, which a job's client sees while it
 * runs, and in state, since Flink's accumulators begin at zero after each failure.
 */
final class RunTotalsCounter {

    private static final String PREFIX = "layerskip.";

    /** Names the state in savepoints; it stays. */
    private static final String STATE = "totals";

    /** By name, in the order of the record's components. */
    private static final Map<String, ToLongFunction<RunTotals>> PARTS = parts();

    private final Map<String, LongCounter> counters = new LinkedHashMap<>();
    private final ListState<RunTotals> state;
    private RunTotals totals;

    private RunTotalsCounter(ListState<RunTotals> state, RunTotals totals) {
        this.state = state;
        this.totals = totals;
    }

    private static Map<String, ToLongFunction<RunTotals>> parts() {
        Map<String, ToLongFunction<RunTotals>> parts = new LinkedHashMap<>();
        parts.put("records", RunTotals::records);
        parts.put("deadLetters", RunTotals::deadLetters);
        parts.put("promptTokens", RunTotals::promptTokens);
        parts.put("completionTokens", RunTotals::completionTokens);
        parts.put("draftedTokens", RunTotals::draftedTokens);
        parts.put("acceptedTokens", RunTotals::acceptedTokens);
        return parts;
    }

    /** Takes up what this subtask is given of a checkpoint. */
    static RunTotalsCounter restore(OperatorStateStore store) throws Exception {
        ListState<RunTotals> state =
                store.getListState(
                        new ListStateDescriptor<>(
                                STATE, CborTypeInformation.forRecord(RunTotals.class)));
        RunTotals totals = RunTotals.NONE;
        for (RunTotals saved : state.get()) {
            totals = totals.plus(saved);
        }
        return new RunTotalsCounter(state, totals);
    }

    /**
     * Shows the totals from now on.
     *
     * @param operator its name, as a task has several
     */
    void open(RuntimeContext context, String operator) {
        PARTS.forEach(
                (name, part) -> {
                    LongCounter counter = new LongCounter(part.applyAsLong(totals));
                    context.addAccumulator(PREFIX + operator + "." + name, counter);
                    counters.put(name, counter);
                });
    }

    void add(RunTotals more) {
        totals = totals.plus(more);
        PARTS.forEach((name, part) -> counters.get(name).add(part.applyAsLong(more)));
    }

    void save() throws Exception {
        state.update(List.of(totals));
    }

    static RunTotals read(Map<String, Object> accumulators) {
        long[] sums = PARTS.keySet().stream().mapToLong(part -> sum(part, accumulators)).toArray();
        return new RunTotals(sums[0], sums[1], sums[2], sums[3], sums[4], sums[5]);
    }

    /** Of all operators. */
    private static long sum(String part, Map<String, Object> accumulators) {
        return accumulators.entrySet().stream()
                .filter(e -> e.getKey().startsWith(PREFIX) && e.getKey().endsWith("." + part))
                .mapToLong(e -> (Long) e.getValue())
                .sum();
    }
}
