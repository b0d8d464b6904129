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
 * <p>What a draft brings depends on whether it and all before it are accepted: see {@link
 * DraftAcceptance}, of which each exit has its own. Where several exits are open, the one with the
 * best rate to be expected is taken. The first rounds draft a little in any case, to get to know
 * the exit; what does not pay is tried again from time to time, ever more seldom: neither what it
 * costs nor what it brings would be noticed to have changed. Not thread-safe.
 */
final class DraftPolicy {

    private static final double NANOS_PER_MICRO = 1e3;

    /** Weight of a new round in the price, once there were many. */
    private static final double NEW = 0.02;

    /** Rounds of plain decoding that the first price counts for. */
    private static final double PRIOR = 4;

    /** Verified drafts after which an exit is known. */
    private static final int KNOWN = 12;

    /** Tokens that a draft may have which is made to get to know something. */
    private static final int PROBE_TOKENS = 2;

    /** Rounds without a draft, at first, after which one is made whatever it costs. */
    private static final int FIRST_PROBE = 64;

    /** The same when all before were in vain. */
    private static final int LAST_PROBE = 256;

    /** Rounds after which another exit than the best is taken once. */
    private static final int ROUNDS_UNTIL_OTHER_EXIT = 128;

    /** Longest draft that the choice of an exit looks at. */
    private static final int MOST_FORESEEN = 8;

    private final PassCosts costs;

    /** By the segment that follows the exit. */
    private final DraftAcceptance[] acceptance;

    private final double[] tokens;
    private final double[] micros;
    private int rounds;
    private int roundsWithoutDraft;
    private int probe = FIRST_PROBE;

    private int sequences;
    private int rows;
    private int steps;
    private boolean probing;
    private boolean probed;
    private double spent;

    /**
     * @param maxSequences most sequences in a round
     */
    DraftPolicy(PassCosts costs, int maxSequences) {
        this.costs = costs;
        this.acceptance = new DraftAcceptance[costs.segments()];
        for (int segment = 1; segment < acceptance.length; segment++) {
            acceptance[segment] = new DraftAcceptance();
        }
        this.tokens = new double[maxSequences + 1];
        this.micros = new double[maxSequences + 1];
        for (int n = 1; n <= maxSequences; n++) {
            tokens[n] = PRIOR * n;
            micros[n] = PRIOR * plainRound(n);
        }
    }

    private double plainRound(int sequences) {
        return costs.segments(0, costs.segments(), sequences) + costs.head(sequences);
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
        probed = false;
    }

    /** Tokens per µs. */
    private double price() {
        return tokens[sequences] / micros[sequences];
    }

    /**
     * The exit to draft at in this round, as the segment that follows it, for requests that leave
     * it open: of those that are not known yet the first, else the one that promises most tokens
     * per µs; every now and then another, which may have become better.
     */
    int exit() {
        if (acceptance.length == 2) {
            return 1;
        }
        if (++rounds % ROUNDS_UNTIL_OTHER_EXIT == 0) {
            return 1 + rounds / ROUNDS_UNTIL_OTHER_EXIT % (acceptance.length - 1);
        }
        int best = 1;
        double most = 0;
        for (int segment = 1; segment < acceptance.length; segment++) {
            if (isUnknown(segment)) {
                return segment;
            }
            double rate = rate(segment);
            if (rate > most) {
                most = rate;
                best = segment;
            }
        }
        return best;
    }

    /** Whether drafts of an exit are yet to be tried, and would pay if all were accepted. */
    private boolean isUnknown(int segment) {
        return acceptance[segment].verified() < KNOWN && rate(segment, 1, 1) > price();
    }

    /** Tokens per µs at the best length. */
    private double rate(int segment) {
        double most = 0;
        for (int drafts = 1; drafts <= MOST_FORESEEN; drafts++) {
            most = Math.max(most, rate(segment, drafts, acceptance[segment].average()));
        }
        return most;
    }

    private double rate(int segment, int drafts, double acceptance) {
        double written = 1;
        double survival = 1;
        for (int i = 0; i < drafts; i++) {
            survival *= acceptance;
            written += survival;
        }
        int verified = sequences * (drafts + 1);
        double cost =
                (drafts + 1) * costs.segments(0, segment, sequences)
                        + drafts * costs.draftLogits(sequences)
                        + costs.segments(segment, costs.segments(), verified)
                        + costs.head(verified);
        return sequences * written / cost;
    }

    /** Probability that the model accepts a token of that confidence, if all before it were. */
    double acceptance(Turn turn, double confidence) {
        return Math.min(1, acceptance[turn.segment()].at(confidence) * turn.sequence().luck());
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
            double next = Math.min(1, acceptance[segment].average() * turn.sequence().luck());
            gain += turn.survival() * next;
            Sampling sampling = turn.sequence().sampling();
            choices += costs.choices().draft(sampling) + costs.choices().model(sampling);
            double cost =
                    added(0, segment, fixed, n)
                            + costs.draftLogits(n)
                            - costs.draftLogits(fixed)
                            + verification(segment, rows + fixed, rows + n)
                            + choices;
            double net = gain - price() * cost;
            if (net > best) {
                best = net;
                kept = n;
            }
        }
        probing =
                steps < PROBE_TOKENS
                        && (roundsWithoutDraft >= probe || fixed == 0 && isUnknown(segment));
        if (kept == 0 && probing) {
            kept = 1;
            probed = true;
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
                        || turn.survival() * acceptance >= price() * cost
                        || probing;
        rows += worth ? 1 : 0;
        return worth;
    }

    /** Whether the draft head is the faster way to the logits of so many drafts. */
    boolean usesDraftHead(int rows) {
        return costs.usesDraftHead(rows);
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
        double micros = nanos / NANOS_PER_MICRO;
        // What a few ask for beside says nothing of what the others' choices take.
        spent +=
                turn.choosesPlainly()
                        ? costs.choices().observe(turn.sequence().sampling(), draft, micros)
                        : micros;
    }

    /** Learns from a draft that was verified. */
    void observe(int segment, double confidence, boolean wasAccepted) {
        acceptance[segment].observe(confidence, wasAccepted);
    }

    /**
     * Ends the round.
     *
     * @param prefilled whether prompts shared its passes, which then say nothing of decoding
     * @param written tokens that it brought
     */
    void endRound(boolean prefilled, int written) {
        if (!prefilled && spent > 0) {
            double round = plainRound(sequences);
            double kept = micros[sequences] > round / NEW ? 1 - NEW : 1;
            tokens[sequences] = kept * tokens[sequences] + written;
            micros[sequences] = kept * micros[sequences] + spent;
        }
        if (steps == 0) {
            roundsWithoutDraft++;
        } else {
            if (!probed) {
                probe = FIRST_PROBE;
            } else if (roundsWithoutDraft >= probe) {
                probe = Math.min(2 * probe, LAST_PROBE);
            }
            roundsWithoutDraft = 0;
        }
    }
}
