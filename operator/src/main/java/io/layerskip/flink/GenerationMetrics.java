package io.layerskip.flink;

import io.layerskip.engine.GenerationResult;
import io.layerskip.engine.GenerationStatistics;
import java.util.concurrent.TimeUnit;
import java.util.function.IntSupplier;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.Histogram;
import org.apache.flink.metrics.MeterView;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.metrics.ThreadSafeSimpleCounter;
import org.apache.flink.runtime.metrics.DescriptiveStatisticsHistogram;

/**
 * The group {@code layerskip} of an operator's metrics. Results are counted on the engine's thread,
 * requests on the task's, so every counter is a thread-safe one.
 */
final class GenerationMetrics {

    private static final String GROUP = "layerskip";

    /** How many of the latest requests the histogram looks at. */
    private static final int HISTOGRAM_WINDOW = 1_000;

    private final Counter prompts;
    private final Counter tokens;
    private final Counter cachedPromptTokens;
    private final Counter draftedTokens;
    private final Counter acceptedTokens;
    private final Counter failures;
    private final Histogram timeToFirstTokenMs;

    /**
     * @param operator the operator's group
     * @param inFlight how many requests are waiting or being generated
     */
    GenerationMetrics(MetricGroup operator, IntSupplier inFlight) {
        MetricGroup group = operator.addGroup(GROUP);
        prompts = group.counter("prompts", new ThreadSafeSimpleCounter());
        tokens = group.counter("tokens", new ThreadSafeSimpleCounter());
        cachedPromptTokens = group.counter("cachedPromptTokens", new ThreadSafeSimpleCounter());
        draftedTokens = group.counter("draftedTokens", new ThreadSafeSimpleCounter());
        acceptedTokens = group.counter("acceptedTokens", new ThreadSafeSimpleCounter());
        failures = group.counter("failures", new ThreadSafeSimpleCounter());
        group.gauge("acceptanceRate", (Gauge<Double>) this::acceptanceRate);
        group.gauge("inFlight", (Gauge<Integer>) inFlight::getAsInt);
        group.meter("tokensPerSecond", new MeterView(tokens));
        timeToFirstTokenMs =
                group.histogram(
                        "timeToFirstTokenMs", new DescriptiveStatisticsHistogram(HISTOGRAM_WINDOW));
    }

    void countPrompt() {
        prompts.inc();
    }

    void countResult(GenerationResult result) {
        GenerationStatistics statistics = result.statistics();
        tokens.inc(statistics.completionTokens());
        cachedPromptTokens.inc(statistics.cachedPromptTokens());
        draftedTokens.inc(statistics.draftedTokens());
        acceptedTokens.inc(statistics.acceptedTokens());
        if (result.failure().isPresent()) {
            failures.inc();
        }
        if (statistics.completionTokens() > 0) {
            timeToFirstTokenMs.update(
                    TimeUnit.NANOSECONDS.toMillis(statistics.timeToFirstTokenNanos()));
        }
    }

    private double acceptanceRate() {
        long drafted = draftedTokens.getCount();
        return drafted == 0 ? 0 : (double) acceptedTokens.getCount() / drafted;
    }
}
