package io.layerskip.cli;

import io.layerskip.connectors.ReplayReport;
import java.io.PrintWriter;
import java.time.Instant;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/** What became of dead letters, as a table by reason, and what of them needs a human. */
final class ReplaySummary {

    private static final String ROW = "%-22s %12s %8s %10s %8s  %-20s %-20s %s%n";

    private final ReplayReport report;
    private final boolean dryRun;

    ReplaySummary(ReplayReport report, boolean dryRun) {
        this.report = report;
        this.dryRun = dryRun;
    }

    void print(PrintWriter out) {
        out.printf(
                Locale.ROOT,
                ROW,
                "reason",
                dryRun ? "to put back" : "put back",
                "earlier",
                "not asked",
                "left",
                "oldest",
                "newest",
                "tries before");
        report.reasons().forEach((reason, count) -> row(reason, count, out));
        out.printf(Locale.ROOT, "%-22s %12d%n", "all", report.putBack());
        report.otherTopics()
                .forEach(
                        (topic, n) -> out.printf("not looked at: %d of records of %s%n", n, topic));
        report.obstacles().forEach(obstacle -> out.println("left: " + obstacle));
        long more = report.left() - report.obstacles().size() - report.forgotten();
        if (more > 0) {
            out.printf("left: %d more%n", more);
        }
        if (report.forgotten() > 0) {
            out.printf(
                    "left: %d that may have been put back by a run that Kafka has forgotten, as they"
                            + " are older than offsets.retention.minutes; if not, give --since%n",
                    report.forgotten());
        }
        out.flush();
    }

    private static void row(String reason, ReplayReport.ByReason count, PrintWriter out) {
        out.printf(
                Locale.ROOT,
                ROW,
                reason,
                count.putBack(),
                count.earlier(),
                count.notChosen(),
                count.left(),
                count.oldest().map(Instant::toString).orElse("-"),
                count.newest().map(Instant::toString).orElse("-"),
                tries(count.tries()));
    }

    /** As {@code 0: 12, 1: 3}: twelve that were never put back before, and three that were once. */
    private static String tries(Map<Integer, Long> tries) {
        return tries.isEmpty()
                ? "-"
                : tries.entrySet().stream()
                        .map(entry -> entry.getKey() + ": " + entry.getValue())
                        .collect(Collectors.joining(", "));
    }
}
