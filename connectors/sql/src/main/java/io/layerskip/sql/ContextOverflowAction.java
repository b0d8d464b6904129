package io.layerskip.sql;

import java.util.Locale;

/** What becomes of a prompt of more tokens than there may be. */
enum ContextOverflowAction {
    TRUNCATED_TAIL,
    TRUNCATED_TAIL_LOG,
    TRUNCATED_HEAD,
    TRUNCATED_HEAD_LOG,
    SKIPPED,
    SKIPPED_LOG;

    /** Whether the row is left out. */
    boolean skips() {
        return this == SKIPPED || this == SKIPPED_LOG;
    }

    /** Whether the prompt's beginning is kept, and not its end. */
    boolean keepsHead() {
        return this == TRUNCATED_TAIL || this == TRUNCATED_TAIL_LOG;
    }

    /** Whether the log tells of it. */
    boolean logs() {
        return name().endsWith("_LOG");
    }

    /** As it stands in a statement: {@code truncated-tail}. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
