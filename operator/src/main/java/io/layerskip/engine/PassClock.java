package io.layerskip.engine;

/** How long the pass under way has taken. The engine's thread sets it, any thread may look. */
final class PassClock {

    private static final long NO_PASS = 0;

    /** When it began, in ns of {@link System#nanoTime}, which also tells passes apart. */
    private volatile long began = NO_PASS;

    /** A pass begins, and the one before it, if there was any, has ended. */
    void begin() {
        long now = System.nanoTime();
        began = now == NO_PASS ? NO_PASS + 1 : now;
    }

    /** The pass has ended, and none follows. */
    void end() {
        began = NO_PASS;
    }

    /** In ns; 0 if there is none. Thread-safe. */
    long nanos() {
        long since = began;
        return since == NO_PASS ? 0 : Math.max(0, System.nanoTime() - since);
    }
}
