package io.layerskip.forward;

import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;

/** Runs the parts of a pass on a pool's threads. */
final class SideBySide {

    private SideBySide() {}

    /**
     * Runs all parts and returns when each of them has ended, also where some break: what they
     * write to is the next pass's then.
     *
     * @param part given its number, from 0
     */
    static void run(ForkJoinPool pool, int parts, IntConsumer part) {
        AtomicReference<Throwable> broken = new AtomicReference<>();
        pool.submit(
                        () ->
                                IntStream.range(0, parts)
                                        .parallel()
                                        .forEach(i -> runPart(part, i, broken)))
                .join();
        Throwable failure = broken.get();
        if (failure instanceof Error error) {
            throw error;
        }
        if (failure != null) {
            throw (RuntimeException) failure;
        }
    }

    private static void runPart(IntConsumer part, int index, AtomicReference<Throwable> broken) {
        try {
            part.accept(index);
        } catch (RuntimeException | Error e) {
            broken.compareAndSet(null, e);
        }
    }
}
