package io.layerskip.engine;

import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.StampedLock;

/**
 * Lets one engine of the process compute while no other does, so that whatever happens to the
 * process meanwhile is the doing of the one request under way.
 *
 * <p>Engines may live in several class loaders, which have the system's properties in common: the
 * lock is kept there. It belongs to no thread, so that what a thread that hangs holds can be given
 * back for it.
 */
final class Isolation {

    private static final String PROPERTY = "io.layerskip.isolation";
    private static final long NOTHING = 0;

    private final StampedLock process =
            (StampedLock)
                    System.getProperties().computeIfAbsent(PROPERTY, none -> new StampedLock());

    private final AtomicLong held = new AtomicLong(NOTHING);

    /** The engine's thread's. */
    private boolean alone;

    /** Waits until no engine is alone, unless this one is. */
    void beginRound() throws InterruptedException {
        if (!alone) {
            held.set(process.readLockInterruptibly());
        }
    }

    void endRound() {
        if (!alone) {
            release();
        }
    }

    /** Waits until no other engine computes; from then on none does. */
    void beginAlone() throws InterruptedException {
        held.set(process.writeLockInterruptibly());
        alone = true;
    }

    /** Lets the others go on, if this one was alone. */
    void endAlone() {
        if (alone) {
            alone = false;
            release();
        }
    }

    boolean isAlone() {
        return alone;
    }

    /** Gives back what the engine's thread holds, if that cannot. Thread-safe. */
    void release() {
        long stamp = held.getAndSet(NOTHING);
        if (stamp != NOTHING) {
            process.unlock(stamp);
        }
    }
}
