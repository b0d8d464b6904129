package io.layerskip.cli;

import io.layerskip.engine.GenerationResult;
import java.io.PrintWriter;
import java.util.Locale;
import java.util.concurrent.TimeUnit;

/** Sums up many generations, timed from its making. */
final class GenerationSummary {

    private final long startNanos = System.nanoTime();
    private long completions;
    private long failures;
    private long tokens;
    private long drafted;
    private long accepted;

    void add(GenerationResult result) {
        if (result.failure().isPresent()) {
            failures++;
        } else {
            completions++;
        }
        tokens += result.statistics().completionTokens();
        drafted += result.statistics().draftedTokens();
        accepted += result.statistics().acceptedTokens();
    }

    /** Counts a line that was no request. */
    void addInvalid() {
        failures++;
    }

    long failures() {
        return failures;
    }

    void print(PrintWriter out) {
        double seconds = (double) (System.nanoTime() - startNanos) / TimeUnit.SECONDS.toNanos(1);
        out.printf(
                Locale.ROOT,
                "%d completions, %d errors; %d tokens in %.1f s (%.0f tokens/s); %d of %d drafted"
                        + " tokens accepted (%.0f %%)%n",
                completions,
                failures,
                tokens,
                seconds,
                tokens / seconds,
                accepted,
                drafted,
                drafted == 0 ? 0 : 100.0 * accepted / drafted);
    }
}
