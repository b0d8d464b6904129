package io.layerskip.engine;

/**
 * How tokens are chosen.
 *
 * @param temperature divides the logits; 0 for greedy decoding, which ignores the rest
 * @param topK keep this many best tokens; 0 for all
 * @param topP keep the fewest tokens that together have this probability, in (0, 1]
 */
record Sampling(double temperature, int topK, double topP) {

    boolean greedy() {
        return temperature == 0;
    }
}
