package io.layerskip.engine;

import java.time.Duration;

/**
 * Looks at the clock from a thread of its own, and tells when a pass takes too long: whatever the
 * engine's thread waits for, native code included.
 */
final class PassWatchdog implements AutoCloseable {

    private static final long MOST_MILLIS_BETWEEN_LOOKS = 1_000;

    /** A share of the timeout: how much later than that a hang may be noticed. */
    private static final long LOOKS_A_TIMEOUT = 8;

    private final PassClock clock;
    private final Duration timeout;
    private final Runnable onHang;
    private final Thread thread = new Thread(this::run, "layerskip-watchdog");

    /**
     * @param timeout of one pass
     * @param onHang run once, if a pass takes longer
     */
    PassWatchdog(PassClock clock, Duration timeout, Runnable onHang) {
        this.clock = clock;
        this.timeout = timeout;
        this.onHang = onHang;
        thread.setDaemon(true);
    }

    void start() {
        thread.start();
    }

    private void run() {
        long pause =
                Math.max(
                        1,
                        Math.min(MOST_MILLIS_BETWEEN_LOOKS, timeout.toMillis() / LOOKS_A_TIMEOUT));
        boolean late = false;
        try {
            while (true) {
                Thread.sleep(pause);
                boolean wasLate = late;
                late = clock.nanos() > timeout.toNanos();
                // A process that was stopped for a while comes back in the middle of a pass, which
                // is not to blame for it: it has until the next look.
                if (late && wasLate) {
                    onHang.run();
                    return;
                }
            }
        } catch (InterruptedException e) {
            // close() ends it.
        }
    }

    @Override
    public void close() {
        thread.interrupt();
    }
}
