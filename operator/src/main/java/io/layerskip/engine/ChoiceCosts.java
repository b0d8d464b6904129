package io.layerskip.engine;

/**
 * What it takes to choose a token by its logits, in µs: for a draft, which needs the exit's
 * confidence too, and for the model. With a large vocabulary a draw takes as long as a layer does.
 * Not thread-safe.
 */
final class ChoiceCosts {

    private final MeanCost greedyDraft;
    private final MeanCost greedy;
    private final MeanCost sampled;

    /**
     * @param greedyDraft µs, for a start, to find the likeliest token and its probability
     * @param greedy to find the likeliest token
     * @param sampled to draw one, which takes draft and model alike
     */
    ChoiceCosts(double greedyDraft, double greedy, double sampled) {
        this.greedyDraft = new MeanCost(greedyDraft);
        this.greedy = new MeanCost(greedy);
        this.sampled = new MeanCost(sampled);
    }

    /** The choice of a draft. */
    double draft(Sampling sampling) {
        return mean(sampling, true).micros();
    }

    /** The choice of what the model writes. */
    double model(Sampling sampling) {
        return mean(sampling, false).micros();
    }

    /** Learns from a choice, and returns what such ones take. */
    double observe(Sampling sampling, boolean draft, double micros) {
        MeanCost mean = mean(sampling, draft);
        mean.observe(micros);
        return mean.micros();
    }

    private MeanCost mean(Sampling sampling, boolean draft) {
        if (!sampling.greedy()) {
            return sampled;
        }
        return draft ? greedyDraft : greedy;
    }
}
