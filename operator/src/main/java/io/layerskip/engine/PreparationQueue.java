package io.layerskip.engine;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentLinkedQueue;
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
 * <p>A request that must be alone waits until those under way have ended, and nobody joins before
 * it has.
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
    private final Isolation isolation;
    private final Thread thread = new Thread(this::run, "layerskip-tokenizer");
    private final BlockingQueue<ActiveGeneration> submitted = new LinkedBlockingQueue<>();
    private final BlockingQueue<ActiveGeneration> ready = new LinkedBlockingQueue<>();

    /** Those that must be alone. Nobody joins those under way before them. */
    private final Queue<ActiveGeneration> suspects = new ConcurrentLinkedQueue<>();

    private volatile Optional<EngineFailedException> ended = Optional.empty();

    /**
     * @param isolation held by a request that must be alone, until it has ended
     * @param onError told if the thread cannot go on
     */
    PreparationQueue(
            RequestPreparation preparation,
            InternalErrors errors,
            Isolation isolation,
            Consumer<EngineFailedException> onError) {
        this.preparation = preparation;
        this.errors = errors;
        this.isolation = isolation;
        this.onError = onError;
        thread.setDaemon(true);
    }

    void start() {
        thread.start();
    }

    /** Takes a request; never blocks. Thread-safe. */
    void submit(ActiveGeneration generation) {
        boolean isLong = generation.request().characters() > LONG_PROMPT_CHARACTERS;
        // One that must be alone is prepared when it is: that may be what ends the process.
        boolean ahead = isLong && !generation.watch().alone();
        BlockingQueue<ActiveGeneration> queue = ahead ? submitted : ready;
        queue.add(generation);
        // Whoever ends the queue empties it afterwards; one of the two sees this request.
        if (ended.isPresent() && queue.remove(generation)) {
            generation.abandon(ended.get());
        }
    }

    /** How many requests wait here. Thread-safe. */
    int size() {
        return submitted.size() + ready.size() + suspects.size();
    }

    /** Hands over what is ready, as far as there are places; waits if there is nothing to do. */
    void handOver(Scheduler scheduler) throws InterruptedException {
        if (scheduler.isEmpty()) {
            isolation.endAlone();
        }
        if (!suspects.isEmpty() || isolation.isAlone()) {
            if (scheduler.isEmpty()) {
                isolation.beginAlone();
                handOver(suspects.remove(), scheduler);
            }
            return;
        }
        int charactersLeft = CHARACTERS_A_ROUND;
        if (scheduler.isEmpty()) {
            charactersLeft -= take(ready.take(), scheduler);
        }
        while (charactersLeft > 0
                && suspects.isEmpty()
                && scheduler.hasPlace()
                && !ready.isEmpty()) {
            charactersLeft -= take(ready.remove(), scheduler);
        }
    }

    private int take(ActiveGeneration generation, Scheduler scheduler) {
        if (generation.watch().alone()) {
            suspects.add(generation);
            return 0;
        }
        return handOver(generation, scheduler);
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
        suspects.removeIf(ActiveGeneration::endIfAborted);
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
        left.addAll(suspects);
        suspects.clear();
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
            onError.accept(EngineFailedException.underWay("cannot prepare requests: " + e, e));
        }
    }

    /** Starts a generation, or ends it if it was aborted or cannot be served. */
    private void prepare(ActiveGeneration generation) {
        if (generation.endIfAborted()) {
            return;
        }
        generation.watch().begun();
        try {
            preparation.prepare(generation).ifPresent(generation::fail);
        } catch (RuntimeException e) {
            generation.fail(errors.failure(generation.request(), e));
        } catch (Error e) {
            // It is in no queue now, so nobody else would end it.
            generation.abandon(EngineFailedException.underWay("cannot prepare a request: " + e, e));
            throw e;
        }
    }
}
