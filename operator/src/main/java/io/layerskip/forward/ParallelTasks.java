package io.layerskip.forward;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.List;
import java.util.concurrent.CompletionService;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorCompletionService;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.apache.flink.annotation.Internal;

/** Runs the parts of a long work side by side, so that it can be interrupted between them. */
@Internal
public final class ParallelTasks {

    private ParallelTasks() {}

    /** A part of the work. */
    @FunctionalInterface
    public interface Task {
        /** Does it. */
        void run() throws IOException;
    }

    /**
     * Runs all tasks, in their order as far as there are threads. After a failure or an
     * interruption no further one begins, and those under way have ended when this returns.
     *
     * @param threads at most
     * @throws InterruptedIOException if the calling thread is interrupted, which it stays
     * @throws IOException the first that a task throws
     */
    static void run(int threads, List<? extends Task> tasks) throws IOException {
        ExecutorService pool = Executors.newFixedThreadPool(threads, ParallelTasks::thread);
        CompletionService<Void> completion = new ExecutorCompletionService<>(pool);
        try {
            for (Task task : tasks) {
                completion.submit(
                        () -> {
                            task.run();
                            return null;
                        });
            }
            for (int i = 0; i < tasks.size(); i++) {
                completion.take().get();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw interrupted(e);
        } catch (ExecutionException e) {
            throw failure(e.getCause());
        } finally {
            end(pool);
        }
    }

    /** The same with a thread for each core, but no more than so many. */
    public static void runOnCores(int mostThreads, List<? extends Task> tasks) throws IOException {
        run(Math.min(mostThreads, Runtime.getRuntime().availableProcessors()), tasks);
    }

    /** What an interrupted loading ends with. */
    public static InterruptedIOException interrupted(InterruptedException cause) {
        InterruptedIOException interrupted =
                new InterruptedIOException("interrupted while the model was loaded");
        interrupted.initCause(cause);
        return interrupted;
    }

    private static Thread thread(Runnable work) {
        Thread thread = new Thread(work, "layerskip-loading");
        thread.setDaemon(true);
        return thread;
    }

    private static IOException failure(Throwable cause) {
        if (cause instanceof RuntimeException unchecked) {
            throw unchecked;
        }
        if (cause instanceof Error error) {
            throw error;
        }
        return (IOException) cause;
    }

    private static void end(ExecutorService pool) {
        pool.shutdownNow();
        boolean interrupted = false;
        while (!pool.isTerminated()) {
            try {
                pool.awaitTermination(1, TimeUnit.MINUTES);
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
