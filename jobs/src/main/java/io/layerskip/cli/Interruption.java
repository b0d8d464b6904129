package io.layerskip.cli;

import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** Lets work put its things away when Ctrl-C ends the process. */
final class Interruption {

    private static final long PATIENCE_SECONDS = 15;

    private Interruption() {}

    /** Does the work; Ctrl-C interrupts it, and the process waits a while for its end. */
    static <T> T interruptible(Callable<T> work) throws Exception {
        Thread worker = Thread.currentThread();
        CountDownLatch done = new CountDownLatch(1);
        Runtime.getRuntime()
                .addShutdownHook(new Thread(() -> interrupt(worker, done), "interruption"));
        try {
            return work.call();
        } finally {
            done.countDown();
        }
    }

    private static void interrupt(Thread worker, CountDownLatch done) {
        // The ordinary end of the process comes by here too.
        if (done.getCount() == 0) {
            return;
        }
        worker.interrupt();
        try {
            done.await(PATIENCE_SECONDS, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
