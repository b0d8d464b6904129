package io.layerskip.flink;

import io.layerskip.engine.GenerationResult;
import io.layerskip.engine.GenerationStatistics;
import java.util.concurrent.TimeUnit;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.Histogram;
import org.apache.flink.metrics.MeterView;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.runtime.metrics.DescriptiveStatisticsHistogram;

/** The group {@code layerskip} of an operator's metrics, counted on the task's thread. */
final class GenerationMetrics {

    private static final String GROUP = "layerskip";

    /** How many of the latest requests the histogram looks at. */
    private static final int HISTOGRAM_WINDOW = 1_000;

    private final Counter prompts;
    private final Counter tokens;
    private final Counter resumedTokens;
    private final Counter cachedPromptTokens;
    private final Counter draftedTokens;
    private final Counter acceptedTokens;
    private final Counter failures;
    private final Histogram timeToFirstTokenMs;

    private volatile int inFlight;

    /**
     * @param operator the operator's group
     */
    GenerationMetrics(MetricGroup operator) {
        MetricGroup group = operator.addGroup(GROUP);
        prompts = group.counter("prompts");
        tokens = group.counter("tokens");
        resumedTokens = group.counter("resumedTokens");
        cachedPromptTokens = group.counter("cachedPromptTokens");
        draftedTokens = group.counter("draftedTokens");
        acceptedTokens = group.counter("acceptedTokens");
        failures = group.counter("failures");
        group.gauge("acceptanceRate", (Gauge<Double>) this::acceptanceRate);
        group.gauge("inFlight", (Gauge<Integer>) () -> inFlight);
        group.meter("tokensPerSecond", new MeterView(tokens));
        timeToFirstTokenMs =
                group.histogram(
                        "timeToFirstTokenMs", new DescriptiveStatisticsHistogram(HISTOGRAM_WINDOW));
    }

    /**
     * @param resumed tokens of its completion that a checkpoint had
     */
    void countPrompt(int resumed) {
        prompts.inc();
        resumedTokens.inc(resumed);
        inFlight++;
    }

    /**
     * @param resumed how many of its tokens were not generated here
     */
    void countResult(GenerationResult result, int resumed) {
        inFlight--;
        GenerationStatistics statistics = result.statistics();
        tokens.inc(statistics.completionTokens() - resumed);
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
