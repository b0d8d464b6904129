package io.layerskip.connectors;

import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import org.apache.flink.annotation.PublicEvolving;

/**
 * Which dead letters are to be put back.
 *
 * @param reasons error classes; empty for all
 * @param since only those written at this time or later, in ms since 1970
 * @param until only those written before this time, in ms since 1970
 * @param maxTries only those whose record has been put back less often
 * @param fromAnyTopic also those whose record did not stand in a topic that is put back to
 */
@PublicEvolving
public record DeadLetterSelection(
        Set<String> reasons,
        OptionalLong since,
        OptionalLong until,
        OptionalInt maxTries,
        boolean fromAnyTopic) {

    public DeadLetterSelection {
        reasons = Set.copyOf(reasons);
    }

    /** All of them. */
    public static DeadLetterSelection all() {
        return new DeadLetterSelection(
                Set.of(), OptionalLong.empty(), OptionalLong.empty(), OptionalInt.empty(), false);
    }

    /** Whether reason, time and tries are those asked for. */
    boolean takes(DeadLetter letter) {
        long timestamp = letter.letter().timestamp();
        return (reasons.isEmpty() || reasons.contains(letter.reason()))
                && (since.isEmpty() || timestamp >= since.getAsLong())
                && (until.isEmpty() || timestamp < until.getAsLong())
                && (maxTries.isEmpty() || letter.tries() < maxTries.getAsInt());
    }
}
