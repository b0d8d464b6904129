package io.layerskip.engine;

import io.layerskip.forward.KeyValueCache;
import io.layerskip.forward.KeyValueMemory;
import io.layerskip.forward.LayerSkipModel;
import io.layerskip.forward.PrefixCache;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;

/**
 * The requests that are under way together, round after round (iteration-level scheduling, as in
 * Orca; Yu et al., 2022, section 3.1). Not thread-safe.
 */
final class ContinuousBatching {

    private final KeyValueMemory memory;
    private final Scheduler scheduler;
    private final DraftPolicy policy;
    private final SelfSpeculation decoding;
    private final GuardedRounds rounds;
    private final Isolation isolation;
    private final PassClock clock;
    private final InternalErrors errors;
    private final LongAdder writtenTokens;
    private final List<Turn> turns = new ArrayList<>();

    private volatile EngineStatus status;

    /**
     * Measures what passes cost on this machine, if there is something to decide by it.
     *
     * @param isolation held while passes are computed
     * @param clock shows how long the pass under way has taken
     * @param writtenTokens counts the tokens of all requests
     * @param wrapper of what takes rounds through the model
     */
    ContinuousBatching(
            LayerSkipModel model,
            KeyValueMemory memory,
            EngineSettings settings,
            InternalErrors errors,
            Isolation isolation,
            PassClock clock,
            LongAdder writtenTokens,
            UnaryOperator<Consumer<List<Turn>>> wrapper) {
        int maxBatchSize = settings.maxBatchSize();
        int prefixBlocks = settings.prefixCaching() ? memory.capacity() / 2 : 0;
        this.memory = memory;
        this.scheduler = new Scheduler(maxBatchSize, new PrefixCache(memory, prefixBlocks));
        this.policy = new DraftPolicy(passCosts(model, memory, settings), maxBatchSize);
        this.decoding = new SelfSpeculation(model, policy, clock);
        this.rounds =
                new GuardedRounds(
                        wrapper.apply(decoding::round),
                        new Probe(model.config(), settings.kvCacheType())::run,
                        errors::log);
        this.isolation = isolation;
        this.clock = clock;
        this.errors = errors;
        this.writtenTokens = writtenTokens;
        this.status = status(0, Optional.empty());
    }

    private static PassCosts passCosts(
            LayerSkipModel model, KeyValueMemory memory, EngineSettings settings) {
        // Drafts of a fixed length are drafted whatever they cost, if there is but one way.
        if (settings.defaults().numAssistantTokens().isPresent() && !model.hasDraftHead()) {
            return PassCosts.unmeasured(model.segments());
        }
        try (KeyValueCache cache = new KeyValueCache(memory)) {
            return PassCosts.measure(model, cache);
        }
    }

    /** Takes what is ready, as far as there are places; waits if there is nothing else to do. */
    void admit(PreparationQueue queue) throws InterruptedException {
        queue.handOver(scheduler);
    }

    /** Takes everyone a step further: as many tokens as are drafted and accepted, and one more. */
    void round() throws InterruptedException {
        List<ActiveGeneration> round = scheduler.begin();
        if (round.isEmpty()) {
            // Those that were under way may have been aborted.
            status = status(status.batchSize(), status.lastPass());
            return;
        }
        turns.clear();
        round.forEach(generation -> turns.add(generation.turn()));
        boolean together = takeRound();
        scheduler.fork();
        int written = 0;
        boolean prefilled = false;
        for (ActiveGeneration generation : round) {
            written += write(generation);
            prefilled |= generation.turn().isPrefill();
        }
        scheduler.end();
        if (together) {
            policy.endRound(prefilled, written);
        }
        status = status(round.size(), Optional.of(Instant.now()));
    }

    private boolean takeRound() throws InterruptedException {
        isolation.beginRound();
        clock.begin();
        try {
            return rounds.take(turns);
        } finally {
            clock.end();
            isolation.endRound();
        }
    }

    /** What it has done and has under way, as it stood after the latest round. Thread-safe. */
    EngineStatus status() {
        return status;
    }

    private EngineStatus status(int batchSize, Optional<Instant> lastPass) {
        return new EngineStatus(
                scheduler.waiting(),
                scheduler.running(),
                batchSize,
                memory.used(),
                memory.capacity(),
                scheduler.preemptions(),
                decoding.passes(),
                decoding.rows(),
                decoding.draftPasses(),
                lastPass,
                Duration.ZERO);
    }

    /** Writes what a round brought; returns how many tokens that is. */
    private int write(ActiveGeneration generation) {
        Optional<GenerationFailure> failure = generation.turn().failure();
        try {
            if (failure.isEmpty()) {
                return generation.write(writtenTokens);
            }
        } catch (RuntimeException e) {
            failure = Optional.of(errors.failure(generation.request(), e));
        }
        generation.fail(failure.get());
        return 0;
    }

    /** Ends all requests without a result. */
    void abandon(EngineFailedException reason) {
        scheduler.abandon(reason);
    }
}
