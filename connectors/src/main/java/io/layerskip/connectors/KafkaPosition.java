package io.layerskip.connectors;

import java.time.DateTimeException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.Locale;
import org.apache.flink.annotation.PublicEvolving;

/**
 * A position in each partition of some topics, where reading starts or ends.
 *
 * @param kind how it is found
 * @param timestamp in ms since 1970, where it is found by that; else 0
 */
@PublicEvolving
public record KafkaPosition(Kind kind, long timestamp) {

    /** How a position is found. */
    public enum Kind {
        /** The consumer group's committed offset; the first record where it has none. */
        COMMITTED,
        /** The first record that is there. */
        EARLIEST,
        /** After the last record that is there when the job is submitted. */
        LATEST,
        /** The first record with this timestamp or a later one. */
        TIMESTAMP
    }

    /**
     * Reads {@code COMMITTED}, {@code EARLIEST}, {@code LATEST}, or a time, either in ms since 1970
     * or in ISO 8601 as {@code 2026-11-25T10:00:00Z}.
     *
     * @throws IllegalArgumentException if it is none of them
     */
    public static KafkaPosition parse(String text) {
        String stripped = text.strip();
        if (stripped.matches("[0-9]{1,18}")) {
            return new KafkaPosition(Kind.TIMESTAMP, Long.parseLong(stripped));
        }
        for (Kind kind : Kind.values()) {
            if (kind != Kind.TIMESTAMP && kind.name().equals(stripped.toUpperCase(Locale.ROOT))) {
                return new KafkaPosition(kind, 0);
            }
        }
        try {
            Instant instant = OffsetDateTime.parse(stripped).toInstant();
            if (instant.isBefore(Instant.EPOCH)) {
                throw new IllegalArgumentException(text + " is before 1970");
            }
            return new KafkaPosition(Kind.TIMESTAMP, instant.toEpochMilli());
        } catch (DateTimeException e) {
            throw new IllegalArgumentException(text + " is no position", e);
        }
    }
}
