package io.layerskip.sql;

import java.io.Serializable;
import java.time.Duration;

/**
 * How long a row may take.
 *
 * @param after the row fails after this time, at least 1 ms
 * @param setting the name of what says so
 */
record RowTimeout(Duration after, String setting) implements Serializable {

    private static final long serialVersionUID = 1;

    /** Share of {@code ML_PREDICT}'s timeout that a row may take: a late row fails the job. */
    private static final double SHARE = 0.9;

    /**
     * The model's own timeout, or less where {@code ML_PREDICT} would give up before.
     *
     * @param predictTimeout {@code ML_PREDICT}'s; none at or below 0
     */
    static RowTimeout before(Duration predictTimeout, RowTimeout own) {
        long millis = Math.max(1, (long) (predictTimeout.toMillis() * SHARE));
        return predictTimeout.toMillis() <= 0 || own.after.toMillis() <= millis
                ? own
                : new RowTimeout(Duration.ofMillis(millis), "90 % of ML_PREDICT's timeout");
    }
}
