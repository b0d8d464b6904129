package io.layerskip.engine;

import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import java.util.function.LongSupplier;

/**
 * Makes failures of exceptions that nobody foresaw, and logs their stack traces: each cause once a
 * minute, since one that hits every request would fill the disk. Thread-safe.
 */
final class InternalErrors {

    private static final long PAUSE = TimeUnit.MINUTES.toNanos(1);

    private final BiConsumer<String, Throwable> log;
    private final LongSupplier nanoTime;
    private final Map<Cause, Logged> logged = new HashMap<>();

    /** Exceptions of one kind from one place; there are no more of them than places in the code. */
    private record Cause(Class<?> kind, StackTraceElement place) {

        private static final StackTraceElement NOWHERE = new StackTraceElement("", "", null, -1);

        static Cause of(Throwable failure) {
            StackTraceElement[] trace = failure.getStackTrace();
            return new Cause(failure.getClass(), trace.length == 0 ? NOWHERE : trace[0]);
        }
    }

    /**
     * @param at when the cause was logged, in ns
     * @param since how often it has come since
     */
    private record Logged(long at, int since) {}

    /**
     * @param log takes a message and an exception, as a logger does
     * @param nanoTime the clock, such as {@link System#nanoTime}
     */
    InternalErrors(BiConsumer<String, Throwable> log, LongSupplier nanoTime) {
        this.log = log;
        this.nanoTime = nanoTime;
    }

    /** What becomes of the request that met the exception. */
    GenerationFailure failure(GenerationRequest request, RuntimeException exception) {
        log("Request %s failed".formatted(request.id()), exception);
        return new GenerationFailure(
                GenerationFailure.Kind.INTERNAL_ERROR, "generation failed: " + exception);
    }

    /**
     * Logs what went wrong, unless the same cause was logged a moment ago.
     *
     * @param what it was, without a full stop
     */
    synchronized void log(String what, Throwable exception) {
        Cause cause = Cause.of(exception);
        long now = nanoTime.getAsLong();
        Logged last = logged.get(cause);
        if (last != null && now - last.at() < PAUSE) {
            logged.put(cause, new Logged(last.at(), last.since() + 1));
            return;
        }
        logged.put(cause, new Logged(now, 0));
        log.accept(
                "%s (%d more for the same cause since the last one logged)"
                        .formatted(what, last == null ? 0 : last.since()),
                exception);
    }
}
