package io.layerskip.flink;

import io.layerskip.engine.GenerationResult;
import io.layerskip.engine.GenerationStatistics;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.Histogram;
import org.apache.flink.metrics.MeterView;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.runtime.metrics.DescriptiveStatisticsHistogram;

/**
 * The group {@code layerskip} of an operator's metrics, counted on the task's thread, except for
 * the tokens: the engine counts those as it writes them.
 */
final class GenerationMetrics {

    private static final String GROUP = "layerskip";

    /** How many of the latest requests the histogram looks at. */
    private static final int HISTOGRAM_WINDOW = 1_000;

    private final Counter prompts;
    private final Counter resumedTokens;
    private final Counter cachedPromptTokens;
    private final Counter draftedTokens;
    private final Counter acceptedTokens;
    private final Counter failures;
    private final Histogram timeToFirstTokenMs;

    private volatile int inFlight;

    /**
     * @param operator the operator's group
     * @param writtenTokens tokens that the engine has written so far; asked by any thread
     */
    GenerationMetrics(MetricGroup operator, LongSupplier writtenTokens) {
        MetricGroup group = operator.addGroup(GROUP);
        prompts = group.counter("prompts");
        Counter tokens = group.counter("tokens", new CountedElsewhere(writtenTokens));
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

    void countResult(GenerationResult result) {
        inFlight--;
        GenerationStatistics statistics = result.statistics();
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

    /** Shows a count that somebody else keeps. */
    private record CountedElsewhere(LongSupplier count) implements Counter {

        @Override
        public long getCount() {
            return count.getAsLong();
        }

        @Override
        public void inc() {
            inc(1);
        }

        @Override
        public void inc(long n) {
            throw new UnsupportedOperationException("counted elsewhere");
        }

        @Override
        public void dec() {
            dec(1);
        }

        @Override
        public void dec(long n) {
            throw new UnsupportedOperationException("counted elsewhere");
        }
    }

    private double acceptanceRate() {
        long drafted = draftedTokens.getCount();
        return drafted == 0 ? 0 : (double) acceptedTokens.getCount() / drafted;
    }
}
