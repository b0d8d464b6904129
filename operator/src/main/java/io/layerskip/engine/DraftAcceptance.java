package io.layerskip.engine;

/**
 * How often the model accepts what one exit drafts, by the exit's own confidence; not thread-safe.
 *
 * <p>Of a trained exit, the confidence is nearly the probability of acceptance; of others it says
 * little. Until a confidence has been seen often, its acceptance is what two forecasters say, each
 * weighted by how well it has foretold the drafts so far (a Bayesian mixture; Cesa-Bianchi and
 * Lugosi, Prediction, Learning, and Games, 2006, section 9.2): one says the confidence itself, the
 * other the average of all.
 */
final class DraftAcceptance {

    private static final int BUCKETS = 20;

    /** Weight of a new observation in averages of many. */
    private static final double NEW = 0.02;

    private static final double INITIAL = 0.8;

    /** Observations that {@link #INITIAL} counts for. */
    private static final double INITIAL_WEIGHT = 2;

    /** Observations that the forecasters count for, at each confidence. */
    private static final double PRIOR = 8;

    /** No forecast is taken for surer than this. */
    private static final double UNSURE = 0.02;

    /** Most of the logarithm of one forecaster's weight, relative to the other's. */
    private static final double MOST_TRUST = 8;

    private final Average[] buckets = new Average[BUCKETS + 1];
    private final Average all = new Average();
    private double trust;

    /** Drafts that were accepted, of those that were verified; old ones fade. */
    private static final class Average {
        private double verified;
        private double accepted;

        double with(double prior, double weight) {
            return (accepted + weight * prior) / (verified + weight);
        }

        void observe(boolean wasAccepted) {
            // So that a change of traffic is followed.
            if (verified > 1 / NEW) {
                verified *= 1 - NEW;
                accepted *= 1 - NEW;
            }
            verified++;
            accepted += wasAccepted ? 1 : 0;
        }
    }

    DraftAcceptance() {
        for (int i = 0; i < buckets.length; i++) {
            buckets[i] = new Average();
        }
    }

    /** How many drafts were verified, of late. */
    double verified() {
        return all.verified;
    }

    /** The probability that a draft is accepted of which nothing is known yet. */
    double average() {
        return all.with(INITIAL, INITIAL_WEIGHT);
    }

    /** The probability that a draft of that confidence is accepted. */
    double at(double confidence) {
        double byConfidence = 1 / (1 + Math.exp(-trust));
        double forecast = byConfidence * confidence + (1 - byConfidence) * average();
        return bucket(confidence).with(forecast, PRIOR);
    }

    /** Learns from a draft that was verified. */
    void observe(double confidence, boolean wasAccepted) {
        trust += logarithm(confidence, wasAccepted) - logarithm(average(), wasAccepted);
        trust = Math.max(-MOST_TRUST, Math.min((1 - NEW) * trust, MOST_TRUST));
        bucket(confidence).observe(wasAccepted);
        all.observe(wasAccepted);
    }

    private static double logarithm(double forecast, boolean came) {
        double probability = came ? forecast : 1 - forecast;
        return Math.log(Math.max(probability, UNSURE));
    }

    private Average bucket(double confidence) {
        return buckets[(int) (confidence * BUCKETS)];
    }
}
