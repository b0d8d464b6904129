package io.layerskip.engine;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.function.Consumer;

/**
 * Where requests wait until they can be under way: for a thread that prepares them one by one, and
 * then for a place. Those that cannot be served end here, so that however many and long they are,
 * they hold up nobody who is under way.
 *
 * <pre>
 *   submit --> submitted --> [thread: RequestPreparation] --> prepared --> take, poll
 *              unbounded                                      bounded: sequences take memory
 * </pre>
 */
final class PreparationQueue {

    private final RequestPreparation preparation;
    private final InternalErrors errors;
    private final Consumer<EngineFailedException> onError;
    private final Thread thread = new Thread(this::run, "layerskip-tokenizer");
    private final BlockingQueue<ActiveGeneration> submitted = new LinkedBlockingQueue<>();
    private final BlockingQueue<ActiveGeneration> prepared;

    private volatile Optional<EngineFailedException> ended = Optional.empty();

    /**
     * @param capacity most requests that wait prepared
     * @param onError told if the thread cannot go on
     */
    PreparationQueue(
            RequestPreparation preparation,
            InternalErrors errors,
            int capacity,
            Consumer<EngineFailedException> onError) {
        this.preparation = preparation;
        this.errors = errors;
        this.prepared = new LinkedBlockingQueue<>(capacity);
        this.onError = onError;
        thread.setDaemon(true);
    }

    void start() {
        thread.start();
    }

    /** Takes a request; never blocks. Thread-safe. */
    void submit(ActiveGeneration generation) {
        submitted.add(generation);
        // Whoever ends the queue empties it afterwards; one of the two sees this request.
        if (ended.isPresent() && submitted.remove(generation)) {
            generation.abandon(ended.get());
        }
    }

    /** The next request that is prepared; waits for one. */
    ActiveGeneration take() throws InterruptedException {
        return prepared.take();
    }

    /** The next request that is prepared, if there is one. */
    Optional<ActiveGeneration> poll() {
        return Optional.ofNullable(prepared.poll());
    }

    /** Ends the requests that were aborted while they waited. */
    void endAborted() {
        submitted.removeIf(ActiveGeneration::endIfAborted);
        prepared.removeIf(ActiveGeneration::endIfAborted);
    }

    /** Prepares no more requests; never blocks. Thread-safe. */
    void end(EngineFailedException reason) {
        ended = Optional.of(reason);
        thread.interrupt();
    }

    /** Waits for the thread, which has been told to end, and ends what is left without a result. */
    void close() {
        Threads.join(thread);
        List<ActiveGeneration> left = new ArrayList<>();
        prepared.drainTo(left);
        submitted.drainTo(left);
        left.forEach(generation -> generation.abandon(ended.orElseThrow()));
    }

    private void run() {
        try {
            while (ended.isEmpty()) {
                ActiveGeneration generation = submitted.take();
                if (generation.endIfAborted()) {
                    continue;
                }
                Optional<GenerationFailure> failure = prepare(generation);
                if (failure.isPresent()) {
                    generation.fail(failure.get());
                } else {
                    put(generation);
                }
            }
        } catch (InterruptedException e) {
            // end() wakes the thread while it waits.
        } catch (Error e) {
            onError.accept(new EngineFailedException("cannot prepare requests: " + e, e));
        }
    }

    private Optional<GenerationFailure> prepare(ActiveGeneration generation) {
        try {
            return preparation.prepare(generation);
        } catch (RuntimeException e) {
            return Optional.of(errors.failure(generation.request(), e));
        }
    }

    private void put(ActiveGeneration generation) throws InterruptedException {
        try {
            prepared.put(generation);
        } catch (InterruptedException e) {
            generation.abandon(ended.orElseThrow());
            throw e;
        }
    }
}
