package io.layerskip.engine;

/** The mean of what something lately took, in µs. Not thread-safe. */
final class MeanCost {

    /** Weight of a new observation. */
    private static final double NEW = 0.02;

    /** What took this many times the mean was interrupted by something else. */
    private static final double OUTLIER = 4;

    private double micros;

    /**
     * @param micros what it takes at first, above 0
     */
    MeanCost(double micros) {
        this.micros = micros;
    }

    double micros() {
        return micros;
    }

    void observe(double taken) {
        micros += NEW * (Math.min(taken, OUTLIER * micros) - micros);
    }
}
