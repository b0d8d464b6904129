package io.layerskip.engine;

/** The mean of what something lately took, in µs. Not thread-safe. */
final class MeanCost {

    /** Weight of a new observation. */
    private static final double NEW = 0.02;

    /** What took this many times the mean was interrupted by something else. */
    private static final double OUTLIER = 4;

    /** A coarse clock may tell none at all, and nothing would be learned from there. */
    private static final double LEAST = 1e-3;

    private double micros;

    /**
     * @param micros what it takes at first
     */
    MeanCost(double micros) {
        this.micros = Math.max(micros, LEAST);
    }

    double micros() {
        return micros;
    }

    void observe(double taken) {
        micros += NEW * (Math.max(Math.min(taken, OUTLIER * micros), LEAST) - micros);
    }
}
