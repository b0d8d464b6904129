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
    private int roundsWithoutDraft;

    private int sequences;
    private int rows;
    private int steps;
    private boolean probing;
    private double spent;

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

    /**
     * Begins a round.
     *
     * @param rows that the remainder takes without drafts
     */
    void beginRound(int sequences, int rows) {
        this.sequences = sequences;
        this.rows = rows;
        spent = 0;
        steps = 0;
        probing = false;
    }

    /** Probability that the model accepts a token of that confidence, if all before it were. */
    double acceptance(Turn turn, double confidence) {
        int bucket = bucket(confidence);
        double calibrated = (accepted[bucket] + PRIOR * confidence) / (verified[bucket] + PRIOR);
        return Math.min(1, calibrated * turn.sequence().luck());
    }

    /**
     * Keeps, of the turns whose draft may go on, those whose next draft is worth a pass through the
     * early layers and the head, and sorts them to the front.
     *
     * @param drafting not empty, all of one exit; those with a fixed length stay in any case
     * @return how many stay; the rest is done
     */
    int keep(List<Turn> drafting) {
        drafting.sort(DraftPolicy::compare);
        int fixed = 0;
        while (fixed < drafting.size() && !drafting.get(fixed).draftsAutomatically()) {
            fixed++;
        }
        int segment = drafting.get(0).segment();
        int kept = fixed;
        double best = 0;
        double gain = 0;
        double choices = 0;
        for (int n = fixed + 1; n <= drafting.size(); n++) {
            Turn turn = drafting.get(n - 1);
            gain += turn.survival() * Math.min(1, acceptance * turn.sequence().luck());
            Sampling sampling = turn.sequence().sampling();
            choices += costs.choices().draft(sampling) + costs.choices().model(sampling);
            double cost =
                    added(0, segment, fixed, n)
                            + costs.head(n)
                            - costs.head(fixed)
                            + verification(segment, rows + fixed, rows + n)
                            + choices;
            double net = gain - price[sequences] * cost;
            if (net > best) {
                best = net;
                kept = n;
            }
        }
        probing = roundsWithoutDraft >= ROUNDS_UNTIL_PROBE && steps < PROBE_TOKENS;
        if (kept == 0 && probing) {
            kept = 1;
        }
        steps += kept > 0 ? 1 : 0;
        return kept;
    }

    /** Fixed lengths first, then those whose drafts so far are the likeliest to be accepted. */
    private static int compare(Turn a, Turn b) {
        return a.draftsAutomatically() == b.draftsAutomatically()
                ? Double.compare(b.survival(), a.survival())
                : Boolean.compare(a.draftsAutomatically(), b.draftsAutomatically());
    }

    /**
     * Whether a token is worth its row: its turn in the early layers and its verification. If so,
     * the remainder takes a row more.
     *
     * @param acceptance probability that it is accepted, if all before it are
     * @param drafting turns that share the next pass through the early layers
     */
    boolean takeRow(Turn turn, double acceptance, int drafting) {
        double cost =
                costs.segments(0, turn.segment(), drafting) / drafting
                        + verification(turn.segment(), rows, rows + 1)
                        + costs.choices().model(turn.sequence().sampling());
        boolean worth =
                !turn.draftsAutomatically()
                        || turn.survival() * acceptance >= price[sequences] * cost
                        || probing;
        rows += worth ? 1 : 0;
        return worth;
    }

    private double verification(int segment, int rows, int more) {
        return added(segment, costs.segments(), rows, more) + costs.head(more) - costs.head(rows);
    }

    private double added(int from, int to, int rows, int more) {
        return costs.segments(from, to, more) - costs.segments(from, to, rows);
    }

    /** Counts a pass of this round; see {@link io.layerskip.forward.PassListener}. */
    void passed(int pass, int rows, long nanos) {
        costs.observe(pass, rows, nanos / NANOS_PER_MICRO);
        spent += costs.pass(pass, rows);
    }

    /**
     * Counts that a token was chosen.
     *
     * @param draft whether as a draft, or as what the model writes
     * @param nanos how long that took, in ns
     */
    void chose(Turn turn, boolean draft, long nanos) {
        Sampling sampling = turn.sequence().sampling();
        spent += costs.choices().observe(sampling, draft, nanos / NANOS_PER_MICRO);
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
     * Ends the round.
     *
     * @param prefilled whether prompts shared its passes, which then say nothing of decoding
     * @param written tokens that it brought
     */
    void endRound(boolean prefilled, int written) {
        if (!prefilled && spent > 0) {
            price[sequences] += NEW * (written / spent - price[sequences]);
        }
        roundsWithoutDraft = steps == 0 ? roundsWithoutDraft + 1 : 0;
    }

    private static int bucket(double confidence) {
        return (int) (confidence * BUCKETS);
    }
}
