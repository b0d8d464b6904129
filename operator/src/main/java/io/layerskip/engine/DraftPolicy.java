package io.layerskip.engine;

import java.util.List;

/**
 * Decides how far to draft where the length is not fixed: as long as the tokens that another draft
 * is expected to bring are worth more than its share of the passes costs.
 *
 * <p>Time has a price: the tokens per µs that rounds of as many sequences have lately brought. A
 * draft is worth its time if it brings tokens at a better rate than that (the optimal rule for a
 * renewal process; Dinkelbach, 1967, for the iteration). In a pass over one row, reading the
 * weights is nearly all of the cost, so further rows are cheap and drafting pays; in a pass over
 * many they cost their full share, so under load no draft is worth it.
 *
 * <p>What a draft brings depends on whether it and all before it are accepted. The probability
 * follows the exit's own confidence in its token, as far as that proved right lately, and how the
 * sequence fared so far. What does not pay is tried again from time to time: neither what it costs
 * nor what it brings would be noticed to have changed. Not thread-safe.
 */
final class DraftPolicy {

    private static final int BUCKETS = 20;
    private static final double NANOS_PER_MICRO = 1e3;

    /** Weight of a new observation in the averages. */
    private static final double NEW = 0.02;

    /** Observations that "confidence is probability" counts for. */
    private static final double PRIOR = 8;

    private static final double INITIAL_ACCEPTANCE = 0.8;

    /** Rounds without a draft after which one is made whatever it costs, to see what it costs. */
    private static final int ROUNDS_UNTIL_PROBE = 64;

    /** Tokens that such a draft may have. */
    private static final int PROBE_TOKENS = 4;

    private final PassCosts costs;
    private final double[] price;
    private final double[] verified = new double[BUCKETS + 1];
    private final double[] accepted = new double[BUCKETS + 1];
    private double acceptance = INITIAL_ACCEPTANCE;
    private double spent;
    private int roundsWithoutDraft;
    private int steps;

    /**
     * @param maxSequences most sequences in a round
     */
    DraftPolicy(PassCosts costs, int maxSequences) {
        this.costs = costs;
        this.price = new double[maxSequences + 1];
        for (int n = 1; n <= maxSequences; n++) {
            price[n] = n / (costs.segments(0, costs.segments(), n) + costs.head(n));
        }
    }

    /** Probability that the model accepts a token of that confidence, if all before it were. */
    double acceptance(Sequence sequence, double confidence) {
        int bucket = bucket(confidence);
        double calibrated = (accepted[bucket] + PRIOR * confidence) / (verified[bucket] + PRIOR);
        return Math.min(1, calibrated * sequence.luck());
    }

    /**
     * Keeps, of the sequences whose draft may go on, those whose next draft is worth a pass through
     * the early layers and the head, and sorts them to the front.
     *
     * @param drafting sorted by this; those with a fixed length stay in any case
     * @param exit segment that the remainder starts with
     * @param sequences in this round
     * @param rows that the remainder will take as it stands
     * @return how many stay; the rest is done
     */
    int keep(List<Sequence> drafting, int exit, int sequences, int rows) {
        drafting.sort((a, b) -> Double.compare(b.survival(), a.survival()));
        int fixed = 0;
        while (fixed < drafting.size() && !drafting.get(fixed).draftsAutomatically()) {
            fixed++;
        }
        int kept = fixed;
        double best = 0;
        double gain = 0;
        for (int n = fixed + 1; n <= drafting.size(); n++) {
            Sequence sequence = drafting.get(n - 1);
            gain += sequence.survival() * Math.min(1, acceptance * sequence.luck());
            double cost =
                    added(0, exit, fixed, n)
                            + costs.head(n)
                            - costs.head(fixed)
                            + verification(exit, rows + fixed, rows + n);
            double net = gain - price[sequences] * cost;
            if (net > best) {
                best = net;
                kept = n;
            }
        }
        if (kept == 0 && probes()) {
            kept = 1;
        }
        steps += kept > 0 ? 1 : 0;
        return kept;
    }

    private boolean probes() {
        return roundsWithoutDraft >= ROUNDS_UNTIL_PROBE && steps < PROBE_TOKENS;
    }

    /** Whether a drafted token is worth its row: its turn in the early layers and verification. */
    boolean worthARow(double survival, int exit, int drafting, int sequences, int rows) {
        double cost =
                costs.segments(0, exit, drafting) / drafting + verification(exit, rows, rows + 1);
        return survival >= price[sequences] * cost || probes();
    }

    private double verification(int exit, int rows, int more) {
        return added(exit, costs.segments(), rows, more) + costs.head(more) - costs.head(rows);
    }

    private double added(int from, int to, int rows, int more) {
        return costs.segments(from, to, more) - costs.segments(from, to, rows);
    }

    /** Counts a pass of this round that took {@code nanos} ns. */
    void spend(int segment, int rows, long nanos) {
        costs.observe(segment, rows, nanos / NANOS_PER_MICRO);
        spent += costs.segments(segment, segment + 1, rows);
    }

    /** Counts a pass of the head. */
    void spendHead(int rows, long nanos) {
        costs.observeHead(rows, nanos / NANOS_PER_MICRO);
        spent += costs.head(rows);
    }

    /** Learns from a draft that was verified. */
    void observe(double confidence, boolean wasAccepted) {
        int bucket = bucket(confidence);
        // Old observations fade, so that a change of traffic is followed.
        if (verified[bucket] > 1 / NEW) {
            verified[bucket] *= 1 - NEW;
            accepted[bucket] *= 1 - NEW;
        }
        verified[bucket]++;
        accepted[bucket] += wasAccepted ? 1 : 0;
        acceptance += NEW * ((wasAccepted ? 1 : 0) - acceptance);
    }

    /**
     * Ends a round.
     *
     * @param sequences that were decoded; 0 if prompts shared the passes, which then say nothing
     * @param written tokens that the round brought
     */
    void endRound(int sequences, int written) {
        if (sequences > 0 && spent > 0) {
            price[sequences] += NEW * (written / spent - price[sequences]);
        }
        spent = 0;
        roundsWithoutDraft = steps == 0 ? roundsWithoutDraft + 1 : 0;
        steps = 0;
    }

    private static int bucket(double confidence) {
        return (int) (confidence * BUCKETS);
    }
}
