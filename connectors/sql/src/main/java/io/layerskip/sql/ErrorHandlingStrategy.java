package io.layerskip.sql;

/** What becomes of a row without a completion, where no column takes the reason. */
enum ErrorHandlingStrategy {
    /** It fails the job. */
    FAILOVER,
    /** It is left out of the result, and the reason goes to the log. */
    IGNORE
}
