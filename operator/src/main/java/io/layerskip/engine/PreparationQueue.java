package io.layerskip.engine;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.function.Consumer;

/**
 * Where requests wait until they can be under way. Those with long prompts are prepared on a thread
 * of its own meanwhile, so that they hold up nobody; short ones are prepared when they are handed
 * over, so that they are under way in the very next round.
 *
 * <pre>
 *   submit --long--> submitted --[thread: RequestPreparation]--> ready --[short: RequestPreparation]-->
 *      '-------------------------- short ------------------------->'                          Scheduler
 * </pre>
 *
 * <p>Between two rounds, prompts of {@value #CHARACTERS_A_ROUND} characters at the most are
 * prepared, also where none of their requests can be served: tokenising takes 1 to 3 µs a
 * character.
 */
final class PreparationQueue {

    private static final int LONG_PROMPT_CHARACTERS = 512;
    private static final int CHARACTERS_A_ROUND = 2048;

    /** What a request takes apart from its prompt, in characters. */
    private static final int CHARACTERS_OF_A_REQUEST = 16;

    private final RequestPreparation preparation;
    private final InternalErrors errors;
    private final Consumer<EngineFailedException> onError;
    private final Thread thread = new Thread(this::run, "layerskip-tokenizer");
    private final BlockingQueue<ActiveGeneration> submitted = new LinkedBlockingQueue<>();
    private final BlockingQueue<ActiveGeneration> ready = new LinkedBlockingQueue<>();

    private volatile Optional<EngineFailedException> ended = Optional.empty();

    /**
     * @param onError told if the thread cannot go on
     */
    PreparationQueue(
            RequestPreparation preparation,
            InternalErrors errors,
            Consumer<EngineFailedException> onError) {
        this.preparation = preparation;
        this.errors = errors;
        this.onError = onError;
        thread.setDaemon(true);
    }

    void start() {
        thread.start();
    }

    /** Takes a request; never blocks. Thread-safe. */
    void submit(ActiveGeneration generation) {
        boolean isLong = generation.request().characters() > LONG_PROMPT_CHARACTERS;
        BlockingQueue<ActiveGeneration> queue = isLong ? submitted : ready;
        queue.add(generation);
        // Whoever ends the queue empties it afterwards; one of the two sees this request.
        if (ended.isPresent() && queue.remove(generation)) {
            generation.abandon(ended.get());
        }
    }

    /** How many requests wait here. Thread-safe. */
    int size() {
        return submitted.size() + ready.size();
    }

    /** Hands over what is ready, as far as there are places; waits if there is nothing to do. */
    void handOver(Scheduler scheduler) throws InterruptedException {
        int charactersLeft = CHARACTERS_A_ROUND;
        if (scheduler.isEmpty()) {
            charactersLeft -= handOver(ready.take(), scheduler);
        }
        while (charactersLeft > 0 && scheduler.hasPlace() && !ready.isEmpty()) {
            charactersLeft -= handOver(ready.remove(), scheduler);
        }
    }

    /** Returns the characters that had to be prepared for it. */
    private int handOver(ActiveGeneration generation, Scheduler scheduler) {
        int characters = 0;
        if (!generation.isStarted()) {
            characters = CHARACTERS_OF_A_REQUEST + generation.request().characters();
            prepare(generation);
        }
        if (!generation.isDone()) {
            scheduler.add(generation);
        }
        return characters;
    }

    /** Ends the requests that were aborted while they waited. */
    void endAborted() {
        submitted.removeIf(ActiveGeneration::endIfAborted);
        ready.removeIf(ActiveGeneration::endIfAborted);
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
        ready.drainTo(left);
        submitted.drainTo(left);
        left.forEach(generation -> generation.abandon(ended.orElseThrow()));
    }

    private void run() {
        try {
            while (ended.isEmpty()) {
                ActiveGeneration generation = submitted.take();
                prepare(generation);
                if (!generation.isDone()) {
                    ready.add(generation);
                }
            }
        } catch (InterruptedException e) {
            // end() wakes the thread while it waits.
        } catch (RuntimeException | Error e) {
            onError.accept(new EngineFailedException("cannot prepare requests: " + e, e));
        }
    }

    /** Starts a generation, or ends it if it was aborted or cannot be served. */
    private void prepare(ActiveGeneration generation) {
        if (generation.endIfAborted()) {
            return;
        }
        try {
            preparation.prepare(generation).ifPresent(generation::fail);
        } catch (RuntimeException e) {
            generation.fail(errors.failure(generation.request(), e));
        } catch (Error e) {
            // It is in no queue now, so nobody else would end it.
            generation.abandon(new EngineFailedException("cannot prepare a request: " + e, e));
            throw e;
        }
    }
}
