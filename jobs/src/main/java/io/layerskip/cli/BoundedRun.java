package io.layerskip.cli;

import io.layerskip.connectors.RunTotals;
import java.io.PrintWriter;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.flink.api.common.JobExecutionResult;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** A job that ends by itself: a progress bar while it runs, a summary when it is done. */
final class BoundedRun {

    private static final long LOOK_MS = 500;

    private final StreamExecutionEnvironment environment;
    private final long records;

    /**
     * @param environment with the job
     * @param records that it is to read
     */
    BoundedRun(StreamExecutionEnvironment environment, long records) {
        this.environment = environment;
        this.records = records;
    }

    /**
     * Runs the job and shows what it did.
     *
     * @throws Exception the job's failure
     */
    RunTotals toItsEnd(PrintWriter out) throws Exception {
        long start = System.nanoTime();
        JobClient job = environment.executeAsync();
        JobExecutionResult end;
        try (Progress progress = Progress.of("records", records)) {
            end = await(job, progress, start);
            progress.stepTo(records);
        }
        RunTotals totals = RunTotals.of(end.getAllAccumulatorResults());
        print(totals, seconds(start), out);
        return totals;
    }

    private static JobExecutionResult await(JobClient job, Progress progress, long start)
            throws Exception {
        CompletableFuture<JobExecutionResult> end = job.getJobExecutionResult();
        while (true) {
            try {
                return end.get(LOOK_MS, TimeUnit.MILLISECONDS);
            } catch (TimeoutException e) {
                accumulators(job).thenAccept(now -> show(now, progress, start));
            } catch (ExecutionException e) {
                throw e.getCause() instanceof Exception failure ? failure : e;
            }
        }
    }

    /** What the job has counted so far; fails if it has ended and its cluster with it. */
    static CompletableFuture<Map<String, Object>> accumulators(JobClient job) {
        try {
            return job.getAccumulators();
        } catch (IllegalStateException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    private static void show(Map<String, Object> accumulators, Progress progress, long start) {
        RunTotals totals = RunTotals.of(accumulators);
        progress.stepTo(totals.done());
        progress.say(
                String.format(
                        Locale.ROOT, " %.0f tokens/s", totals.completionTokens() / seconds(start)));
    }

    private static void print(RunTotals totals, double seconds, PrintWriter out) {
        out.printf(
                Locale.ROOT,
                """
                records             %d
                dead letters        %d
                prompt tokens       %d
                completion tokens   %d
                acceptance rate     %.1f %%
                wall time           %.1f s
                """,
                totals.records(),
                totals.deadLetters(),
                totals.promptTokens(),
                totals.completionTokens(),
                100 * totals.acceptanceRate(),
                seconds);
        out.flush();
    }

    private static double seconds(long start) {
        return (double) (System.nanoTime() - start) / TimeUnit.SECONDS.toNanos(1);
    }
}
