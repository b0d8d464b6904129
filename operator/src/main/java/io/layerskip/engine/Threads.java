package io.layerskip.engine;

/** What the JDK's threads lack. */
final class Threads {

    private Threads() {}

    /** Waits until a thread has ended, whoever interrupts the waiting; the interruption is kept. */
    static void join(Thread thread) {
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
