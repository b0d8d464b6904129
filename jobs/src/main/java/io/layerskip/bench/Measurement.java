package io.layerskip.bench;

import io.layerskip.bench.Contender.Completed;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.apache.commons.math3.stat.descriptive.DescriptiveStatistics;

/** What a {@link Comparison} found about one contender; unless said otherwise, a value a round. */
public final class Measurement {

    private final String name;
    private final DescriptiveStatistics tokensPerSecond = new DescriptiveStatistics();
    private final DescriptiveStatistics promptsPerSecond = new DescriptiveStatistics();
    private final DescriptiveStatistics tokenMicros = new DescriptiveStatistics();
    private final DescriptiveStatistics tokenSpeedup = new DescriptiveStatistics();
    private final DescriptiveStatistics speedup = new DescriptiveStatistics();
    private final DescriptiveStatistics latencyMillis = new DescriptiveStatistics();
    private double acceptanceRate;
    private double draftedPerPrompt;
    private int agreeing;

    Measurement(String name) {
        this.name = name;
    }

    void add(Round own, Round baseline) {
        tokensPerSecond.addValue(own.tokens / own.seconds());
        promptsPerSecond.addValue(own.texts.size() / own.seconds());
        speedup.addValue(baseline.seconds() / own.seconds());
        if (baseline.firstTokenNanos > 0 && baseline.tokensAfterFirst() > 0) {
            double nanos = own.nanosAfter(baseline.firstTokenNanos);
            tokenMicros.addValue(nanos / TimeUnit.MICROSECONDS.toNanos(1));
            tokenSpeedup.addValue(baseline.nanosAfter(baseline.firstTokenNanos) / nanos);
        }
        own.latencies.forEach(
                nanos -> latencyMillis.addValue((double) nanos / TimeUnit.MILLISECONDS.toNanos(1)));
        acceptanceRate = own.drafted == 0 ? 0 : (double) own.accepted / own.drafted;
        draftedPerPrompt = (double) own.drafted / own.texts.size();
        agreeing = 0;
        for (int i = 0; i < own.texts.size(); i++) {
            agreeing += own.texts.get(i).equals(baseline.texts.get(i)) ? 1 : 0;
        }
    }

    public String name() {
        return name;
    }

    /** Tokens written a second, prompts included in the time. */
    public DescriptiveStatistics tokensPerSecond() {
        return tokensPerSecond;
    }

    /** Prompts completed a second. */
    public DescriptiveStatistics promptsPerSecond() {
        return promptsPerSecond;
    }

    /**
     * Time per token after the first, in µs: of what a request takes longer than the baseline's
     * first token, since a pass over the prompt that drafts takes and brings more than that one.
     * Empty where the baseline's first token's time is not known.
     */
    public DescriptiveStatistics tokenMicros() {
        return tokenMicros;
    }

    /** The baseline's time per token after the first, divided by this one's. */
    public DescriptiveStatistics tokenSpeedup() {
        return tokenSpeedup;
    }

    /** The baseline's time for all prompts, divided by this one's. */
    public DescriptiveStatistics speedup() {
        return speedup;
    }

    /** Time from a request's start to its end, in ms; a value a request. */
    public DescriptiveStatistics latencyMillis() {
        return latencyMillis;
    }

    /** Share of the drafted tokens that were accepted in the last round, in [0, 1]. */
    public double acceptanceRate() {
        return acceptanceRate;
    }

    /** Tokens drafted for a prompt in the last round, on average. */
    public double draftedPerPrompt() {
        return draftedPerPrompt;
    }

    /** How many completions of the last round have the baseline's text. */
    public int agreeing() {
        return agreeing;
    }

    /** Adds up what the prompts of one round took. */
    static final class Round {
        private final List<String> texts = new ArrayList<>();
        private final List<Long> latencies = new ArrayList<>();
        private long nanos;
        private long tokens;
        private long requestNanos;
        private long firstTokenNanos;
        private long drafted;
        private long accepted;

        void add(Completed completed) {
            texts.add(completed.text());
            latencies.add(completed.nanos());
            tokens += completed.tokens();
            requestNanos += completed.nanos();
            firstTokenNanos += completed.nanosToFirstToken();
            drafted += completed.drafted();
            accepted += completed.accepted();
        }

        void addTime(long more) {
            nanos += more;
        }

        private double seconds() {
            return (double) nanos / TimeUnit.SECONDS.toNanos(1);
        }

        private long tokensAfterFirst() {
            return tokens - texts.size();
        }

        private double nanosAfter(long firstTokenNanos) {
            return (double) (requestNanos - firstTokenNanos) / tokensAfterFirst();
        }
    }
}
