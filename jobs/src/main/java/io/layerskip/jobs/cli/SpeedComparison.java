package io.layerskip.jobs.cli;

import io.layerskip.engine.GenerationEngine;
import io.layerskip.engine.GenerationParameters;
import io.layerskip.engine.GenerationRequest;
import io.layerskip.engine.GenerationStatistics;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.apache.commons.math3.stat.descriptive.DescriptiveStatistics;

/**
 * How much faster self-speculation is than plain decoding, on one stream: the same prompts with no
 * draft and with drafts of each length, one request at a time, prompt by prompt in turn, so that
 * whatever else the machine does hits all alike. After one round to warm up, every round gives a
 * ratio.
 */
final class SpeedComparison {

    private final GenerationEngine engine;
    private final List<String> prompts;

    SpeedComparison(GenerationEngine engine, List<String> prompts) {
        this.engine = engine;
        this.prompts = prompts;
    }

    /**
     * One draft length against plain decoding; every statistic is over the rounds.
     *
     * @param draftLength tokens drafted a round
     * @param acceptanceRate share of the drafted tokens that were accepted, in [0, 1]
     * @param tokenMicros time per token after the first, in µs
     * @param tokenSpeedup plain decoding's time per token after the first, divided by this one's
     * @param requestSpeedup plain decoding's time per whole request, divided by this one's
     */
    record Measurement(
            int draftLength,
            double acceptanceRate,
            DescriptiveStatistics tokenMicros,
            DescriptiveStatistics tokenSpeedup,
            DescriptiveStatistics requestSpeedup) {

        private Measurement(int draftLength, double acceptanceRate) {
            this(
                    draftLength,
                    acceptanceRate,
                    new DescriptiveStatistics(),
                    new DescriptiveStatistics(),
                    new DescriptiveStatistics());
        }

        private void add(Times plain, Times drafting) {
            tokenMicros.addValue(drafting.tokenNanos() / TimeUnit.MICROSECONDS.toNanos(1));
            tokenSpeedup.addValue(plain.tokenNanos() / drafting.tokenNanos());
            requestSpeedup.addValue((double) plain.requestNanos / drafting.requestNanos);
        }

        /** The median of a statistic. */
        static double median(DescriptiveStatistics statistic) {
            return statistic.getPercentile(50);
        }
    }

    /**
     * Measures each draft length.
     *
     * @param draftLengths each at least 0; 0 measures plain decoding against itself
     */
    List<Measurement> measure(List<Integer> draftLengths, int rounds)
            throws ExecutionException, InterruptedException {
        List<Times> warm = round(draftLengths);
        List<Measurement> measurements = new ArrayList<>();
        for (int i = 0; i < draftLengths.size(); i++) {
            measurements.add(
                    new Measurement(draftLengths.get(i), warm.get(i + 1).acceptanceRate()));
        }
        for (int round = 0; round < rounds; round++) {
            List<Times> times = round(draftLengths);
            for (int i = 0; i < draftLengths.size(); i++) {
                measurements.get(i).add(times.get(0), times.get(i + 1));
            }
        }
        return measurements;
    }

    /** The times of plain decoding, then those of each draft length. */
    private List<Times> round(List<Integer> draftLengths)
            throws ExecutionException, InterruptedException {
        List<Times> times = new ArrayList<>();
        for (int i = 0; i <= draftLengths.size(); i++) {
            times.add(new Times());
        }
        for (String prompt : prompts) {
            times.get(0).add(generate(prompt, 0));
            for (int i = 0; i < draftLengths.size(); i++) {
                times.get(i + 1).add(generate(prompt, draftLengths.get(i)));
            }
        }
        return times;
    }

    private GenerationStatistics generate(String prompt, int draftLength)
            throws ExecutionException, InterruptedException {
        GenerationParameters parameters =
                GenerationParameters.builder()
                        .temperature(0)
                        .numAssistantTokens(draftLength)
                        .build();
        GenerationRequest request = new GenerationRequest("speed", prompt, parameters);
        return engine.submit(request).result().get().statistics();
    }

    /** Adds up what the requests of one round took. */
    private static final class Times {
        private long requestNanos;
        private long afterFirstNanos;
        private long tokensAfterFirst;
        private long drafted;
        private long accepted;

        void add(GenerationStatistics statistics) {
            requestNanos += statistics.totalNanos();
            if (statistics.completionTokens() > 1) {
                afterFirstNanos += statistics.totalNanos() - statistics.timeToFirstTokenNanos();
                tokensAfterFirst += statistics.completionTokens() - 1;
            }
            drafted += statistics.draftedTokens();
            accepted += statistics.acceptedTokens();
        }

        double tokenNanos() {
            return (double) afterFirstNanos / tokensAfterFirst;
        }

        double acceptanceRate() {
            return drafted == 0 ? 0 : (double) accepted / drafted;
        }
    }
}
