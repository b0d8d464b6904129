package io.layerskip.engine;

/**
 * How tokens are chosen.
 *
 * @param temperature divides the logits; 0 for greedy decoding, which ignores the rest but for the
 *     adjustment
 * @param topK keep this many best tokens; 0 for all
 * @param topP keep the fewest tokens that together have this probability, in (0, 1]
 * @param minP keep the tokens that have this part of the greatest probability, in [0, 1]
 * @param adjustment of the logits, before all else
 */
record Sampling(
        double temperature, int topK, double topP, double minP, LogitsAdjustment adjustment) {

    /** Sampling by the model's own logits. */
    Sampling(double temperature, int topK, double topP) {
        this(temperature, topK, topP, 0, LogitsAdjustment.NONE);
    }

    boolean greedy() {
        return temperature == 0;
    }
}
