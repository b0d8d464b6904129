package io.layerskip.engine;

import java.util.concurrent.CountDownLatch;

/** What the JDK's threads lack. */
final class Threads {

    private Threads() {}

    /** Waits for a latch, whoever interrupts the waiting; the interruption is kept. */
    static void await(CountDownLatch latch) {
        uninterruptibly(latch::await);
    }

    /** Waits until a thread has ended, whoever interrupts the waiting; the interruption is kept. */
    static void join(Thread thread) {
        uninterruptibly(thread::join);
    }

    @FunctionalInterface
    private interface Waiting {
        void await() throws InterruptedException;
    }

    private static void uninterruptibly(Waiting waiting) {
        boolean interrupted = false;
        boolean over = false;
        while (!over) {
            try {
                waiting.await();
                over = true;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
