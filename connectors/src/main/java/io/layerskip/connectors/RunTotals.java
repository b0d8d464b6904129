package io.layerskip.connectors;

import io.layerskip.engine.GenerationResult;
import io.layerskip.engine.GenerationStatistics;
import java.util.Map;
import org.apache.flink.annotation.PublicEvolving;

/**
 * What a job has done. Checkpoints keep it: what is done again after a failure counts once, and a
 * job that goes on from a savepoint goes on with its totals.
 *
 * @param records that left as they should
 * @param deadLetters that left instead
 * @param promptTokens of all prompts that were completed or given up
 * @param completionTokens written
 * @param draftedTokens drafted
 * @param acceptedTokens drafted, and written
 */
@PublicEvolving
public record RunTotals(
        long records,
        long deadLetters,
        long promptTokens,
        long completionTokens,
        long draftedTokens,
        long acceptedTokens) {

    static final RunTotals NONE = new RunTotals(0, 0, 0, 0, 0, 0);

    /** Of a record that is no request. */
    static final RunTotals DEAD_LETTER = new RunTotals(0, 1, 0, 0, 0, 0);

    /** The totals of a job's accumulators. */
    public static RunTotals of(Map<String, Object> accumulators) {
        return RunTotalsCounter.read(accumulators);
    }

    /** Of a result that leaves as a record or as a dead letter. */
    static RunTotals of(GenerationResult result, boolean isDeadLetter) {
        GenerationStatistics statistics = result.statistics();
        return new RunTotals(
                isDeadLetter ? 0 : 1,
                isDeadLetter ? 1 : 0,
                statistics.promptTokens(),
                statistics.completionTokens(),
                statistics.draftedTokens(),
                statistics.acceptedTokens());
    }

    RunTotals plus(RunTotals other) {
        return new RunTotals(
                records + other.records,
                deadLetters + other.deadLetters,
                promptTokens + other.promptTokens,
                completionTokens + other.completionTokens,
                draftedTokens + other.draftedTokens,
                acceptedTokens + other.acceptedTokens);
    }

    /** Records that were read and are done with. */
    public long done() {
        return records + deadLetters;
    }

    /** Which part of the drafted tokens was accepted, from 0 to 1; 0 if none was drafted. */
    public double acceptanceRate() {
        return draftedTokens == 0 ? 0 : (double) acceptedTokens / draftedTokens;
    }
}
