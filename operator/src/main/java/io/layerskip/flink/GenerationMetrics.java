package io.layerskip.flink;

import io.layerskip.engine.EngineStatus;
import io.layerskip.engine.GenerationFailure;
import io.layerskip.engine.GenerationResult;
import io.layerskip.engine.GenerationStatistics;
import java.time.Duration;
import java.time.Instant;
import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.Histogram;
import org.apache.flink.metrics.MeterView;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.runtime.metrics.DescriptiveStatisticsHistogram;

/**
 * The group {@code layerskip} of an operator's metrics: what becomes of requests, counted on the
 * task's thread, and what the engine shows of itself.
 */
final class GenerationMetrics {

    private static final String GROUP = "layerskip";

    /** How many of the latest requests the histogram looks at. */
    private static final int HISTOGRAM_WINDOW = 1_000;

    private final Counter prompts;
    private final MetricGroup group;
    private final Counter resumedTokens;
    private final Counter restartedRequests;
    private final Counter cachedPromptTokens;
    private final Counter draftedTokens;
    private final Counter acceptedTokens;
    private final Counter prefixHits;
    private final Counter failures;
    private final Map<GenerationFailure.Kind, Counter> failuresByKind =
            new EnumMap<>(GenerationFailure.Kind.class);
    private final Histogram queueTimeMs;
    private final Histogram timeToFirstTokenMs;
    private final Histogram requestTimeMs;

    private volatile int inFlight;

    /**
     * @param operator the operator's group
     * @param writtenTokens tokens that the engine has written so far; asked by any thread
     * @param status what the engine has under way; asked by any thread
     * @param loadTime how long the model took to load
     */
    GenerationMetrics(
            MetricGroup operator,
            LongSupplier writtenTokens,
            Supplier<EngineStatus> status,
            Duration loadTime) {
        group = operator.addGroup(GROUP);
        prompts = group.counter("prompts");
        Counter tokens = count(group, "tokens", writtenTokens);
        resumedTokens = group.counter("resumedTokens");
        restartedRequests = group.counter("restartedRequests");
        cachedPromptTokens = group.counter("cachedPromptTokens");
        draftedTokens = group.counter("draftedTokens");
        acceptedTokens = group.counter("acceptedTokens");
        prefixHits = group.counter("prefixHits");
        failures = group.counter("failures");
        for (GenerationFailure.Kind kind : GenerationFailure.Kind.values()) {
            failuresByKind.put(kind, group.addGroup("kind", kind.name()).counter("failures"));
        }
        group.gauge("acceptanceRate", (Gauge<Double>) this::acceptanceRate);
        group.gauge("inFlight", (Gauge<Integer>) () -> inFlight);
        group.meter("tokensPerSecond", new MeterView(tokens));
        queueTimeMs = histogram(group, "queueTimeMs");
        timeToFirstTokenMs = histogram(group, "timeToFirstTokenMs");
        requestTimeMs = histogram(group, "requestTimeMs");
        showEngine(group, status);
        group.gauge("modelLoadTimeMs", (Gauge<Long>) loadTime::toMillis);
        group.gauge("residentBytes", (Gauge<Long>) ProcessMemory::residentBytes);
    }

    private static Histogram histogram(MetricGroup group, String name) {
        return group.histogram(name, new DescriptiveStatisticsHistogram(HISTOGRAM_WINDOW));
    }

    private static void showEngine(MetricGroup group, Supplier<EngineStatus> status) {
        count(group, "preemptions", () -> status.get().preemptions());
        count(group, "passes", () -> status.get().passes());
        count(group, "rows", () -> status.get().rows());
        count(group, "draftPasses", () -> status.get().draftPasses());
        show(group, "waiting", () -> status.get().waiting());
        show(group, "running", () -> status.get().running());
        show(group, "batchSize", () -> status.get().batchSize());
        show(group, "keyValueBlocksUsed", () -> status.get().keyValueBlocksUsed());
        show(group, "keyValueBlocks", () -> status.get().keyValueBlocks());
        show(
                group,
                "lastPassTimestamp",
                () -> status.get().lastPass().map(Instant::toEpochMilli).orElse(0L));
        show(group, "passTimeMs", () -> status.get().passTime().toMillis());
    }

    private static Counter count(MetricGroup group, String name, LongSupplier count) {
        return group.counter(name, new CountedElsewhere(count));
    }

    private static void show(MetricGroup group, String name, Gauge<Number> gauge) {
        group.gauge(name, gauge);
    }

    /**
     * @param resumed tokens of its completion that a checkpoint had
     */
    void countPrompt(int resumed) {
        prompts.inc();
        resumedTokens.inc(resumed);
        inFlight++;
    }

    /** Counts a request that a checkpoint had tokens of, which are of no use now. */
    void countRestart() {
        restartedRequests.inc();
    }

    /**
     * Shows the memory of the requests in flight.
     *
     * @param bytes asked by any thread
     */
    void showInFlightBytes(LongSupplier bytes) {
        group.gauge("inFlightBytes", (Gauge<Long>) bytes::getAsLong);
    }

    void countResult(GenerationResult result) {
        inFlight--;
        GenerationStatistics statistics = result.statistics();
        cachedPromptTokens.inc(statistics.cachedPromptTokens());
        draftedTokens.inc(statistics.draftedTokens());
        acceptedTokens.inc(statistics.acceptedTokens());
        prefixHits.inc(statistics.cachedPromptTokens() > 0 ? 1 : 0);
        result.failure()
                .ifPresent(
                        failure -> {
                            failures.inc();
                            failuresByKind.get(failure.kind()).inc();
                        });
        update(queueTimeMs, statistics.queueNanos());
        update(timeToFirstTokenMs, statistics.timeToFirstTokenNanos());
        update(requestTimeMs, statistics.totalNanos());
    }

    /** Adds a time in ns, unless it did not come to that. */
    private static void update(Histogram histogram, long nanos) {
        if (nanos > 0) {
            histogram.update(TimeUnit.NANOSECONDS.toMillis(nanos));
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
