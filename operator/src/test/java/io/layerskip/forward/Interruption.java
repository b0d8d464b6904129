package io.layerskip.forward;

/** Interrupts whoever loads a model. */
final class Interruption {

    private Interruption() {}

    /** Interrupts the thread that calls this, as soon as a stage begins, from whichever thread. */
    static LoadListener at(LoadListener.Stage stage) {
        Thread caller = Thread.currentThread();
        return (reached, done, total) -> {
            if (reached == stage) {
                caller.interrupt();
            }
        };
    }
}
