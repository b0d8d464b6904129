package io.layerskip.engine;

import io.layerskip.forward.ForwardException;
import io.layerskip.forward.KeyValueBlock;
import io.layerskip.forward.KeyValueCache;
import io.layerskip.forward.KeyValueMemory;
import io.layerskip.forward.LayerSkipModel;
import io.layerskip.forward.PrefixCache;
import io.layerskip.model.Checkpoint;
import io.layerskip.model.ModelConfig;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;

/**
 * Generates with one model on one thread of its own.
 *
 * <p>Requests queue without a bound (whoever submits bounds what is in flight). Up to {@link
 * EngineSettings#maxBatchSize} are generated together and share every pass over the weights: new
 * ones join between rounds and finished ones leave at once. A prompt is taken in parts beside the
 * others' rounds, so that a long one does not stall them; beginnings that prompts have in common
 * are computed once. When the memory for keys and values is full, requests wait, and if those under
 * way need more, the youngest gives its part up and is computed again later. A request that fails
 * is a result; only a model that breaks ends the engine, and then every result completes with an
 * {@link EngineFailedException}.
 *
 * <pre>{@code
 * try (Checkpoint checkpoint = Checkpoint.open(folder);
 *         GenerationEngine engine = GenerationEngine.open(checkpoint, settings)) {
 *     var request = new GenerationRequest("1", "Alice and Bob", GenerationParameters.DEFAULTS);
 *     System.out.println(engine.submit(request).result().join().text());
 * }
 * }</pre>
 */
public final class GenerationEngine implements AutoCloseable {

    /** Most tokens of prompts in a round beside sequences that decode, which they hold up. */
    private static final int PROMPT_TOKENS_BESIDE_OTHERS = 64;

    /** Rows of a round that are left to prompts; the others are left to decoding. */
    private static final int PROMPT_TOKENS = LayerSkipModel.MAX_ROWS / 2;

    private final Checkpoint checkpoint;
    private final ModelConfig config;
    private final EngineSettings settings;
    private final LayerSkipModel model;
    private final KeyValueMemory memory;
    private final PrefixCache prefixes;
    private final DraftPolicy policy;
    private final SelfSpeculation decoding;
    private final Thread thread;
    private final BlockingQueue<ActiveGeneration> submitted = new LinkedBlockingQueue<>();

    /** Those that wait for memory, also for what they had to give up; they go before new ones. */
    private final Deque<ActiveGeneration> waiting = new ArrayDeque<>();

    /** In the order in which they joined. */
    private final List<ActiveGeneration> active = new ArrayList<>();

    private final List<Sequence> batch = new ArrayList<>();
    private final LongAdder writtenTokens = new LongAdder();

    private volatile Optional<EngineFailedException> ended = Optional.empty();

    private GenerationEngine(Checkpoint checkpoint, EngineSettings settings, LayerSkipModel model) {
        this.checkpoint = checkpoint;
        this.config = checkpoint.config();
        this.settings = settings;
        this.model = model;
        this.memory = new KeyValueMemory(config, settings.kvCacheBytes());
        this.prefixes =
                new PrefixCache(memory, settings.prefixCaching() ? memory.capacity() / 2 : 0);
        this.policy = new DraftPolicy(passCosts(), settings.maxBatchSize());
        this.decoding = new SelfSpeculation(model, policy);
        this.thread = new Thread(this::run, "layerskip-engine");
        thread.setDaemon(true);
    }

    /** Measured only if there is something to decide: drafts of a fixed length are drafted. */
    private PassCosts passCosts() {
        if (settings.defaults().numAssistantTokens().isPresent()) {
            return PassCosts.unmeasured(model.segments());
        }
        try (KeyValueCache cache = new KeyValueCache(memory)) {
            return PassCosts.measure(model, cache);
        }
    }

    /**
     * Builds the sessions, which takes seconds for a large model, measures what passes cost on this
     * machine, and starts the engine's thread.
     *
     * @param checkpoint stays the caller's to close, after the engine
     * @throws IllegalArgumentException if an exit layer is not in 1..L-1, or the memory for keys
     *     and values is too small for this model
     * @throws EngineFailedException if quantized weights cannot be made or ONNX Runtime cannot
     *     build the sessions
     */
    public static GenerationEngine open(Checkpoint checkpoint, EngineSettings settings) {
        try {
            LayerSkipModel model =
                    new LayerSkipModel(
                            checkpoint,
                            settings.exitLayers(),
                            settings.precision(),
                            settings.cacheFolder(),
                            settings.threads());
            try {
                GenerationEngine engine = new GenerationEngine(checkpoint, settings, model);
                engine.thread.start();
                return engine;
            } catch (RuntimeException | Error e) {
                model.close();
                throw e;
            }
        } catch (ForwardException | IOException e) {
            throw new EngineFailedException(
                    "cannot build the model in " + checkpoint.folder() + ": " + e.getMessage(), e);
        }
    }

    /** Takes a request; never blocks. Thread-safe. */
    public Generation submit(GenerationRequest request) {
        return submit(request, GenerationProgress.NONE);
    }

    /**
     * Takes a request that another engine with this model and these settings was generating, and
     * goes on from where that one was: the tokens written pass the model together, as a prompt
     * does. What cannot have been written for this request is ignored, and it starts over. Never
     * blocks. Thread-safe.
     *
     * @throws IllegalArgumentException if the model has no such token
     */
    public Generation submit(GenerationRequest request, GenerationProgress progress) {
        for (int token : progress.tokenIds()) {
            if (token < 0 || token >= config.vocabSize()) {
                throw new IllegalArgumentException(
                        "request %s goes on behind token %d; allowed: 0 to %d"
                                .formatted(request.id(), token, config.vocabSize() - 1));
            }
        }
        return submit(request, progress, chunk -> {}, false);
    }

    /**
     * Takes a request and hands over its text as it is written, on the engine's thread; never
     * blocks. Thread-safe.
     */
    public Generation submit(GenerationRequest request, Consumer<TextChunk> listener) {
        return submit(request, GenerationProgress.NONE, listener, true);
    }

    private Generation submit(
            GenerationRequest request,
            GenerationProgress progress,
            Consumer<TextChunk> listener,
            boolean watched) {
        ActiveGeneration generation = new ActiveGeneration(request, progress, listener, watched);
        submitted.add(generation);
        // Whoever ends the engine empties the queue afterwards; one of the two sees this request.
        if (ended.isPresent() && submitted.remove(generation)) {
            generation.abandon(ended.get());
        }
        return generation;
    }

    /**
     * How many tokens were written since the engine opened: also of generations that have yet to
     * end, or fail. Thread-safe.
     */
    public long writtenTokens() {
        return writtenTokens.sum();
    }

    /**
     * Ends what runs and waits (its results complete with an {@link EngineFailedException}), waits
     * for the pass under way, and frees the sessions. Idempotent.
     */
    @Override
    public void close() {
        end(new EngineFailedException("the engine was closed"));
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

    private synchronized void end(EngineFailedException reason) {
        if (ended.isEmpty()) {
            ended = Optional.of(reason);
        }
        thread.interrupt();
    }

    private void run() {
        try {
            while (ended.isEmpty()) {
                failAborted();
                admit();
                round();
            }
        } catch (InterruptedException e) {
            // close() wakes the thread while it waits for requests.
        } catch (RuntimeException | Error e) {
            end(new EngineFailedException("the model broke: " + e, e));
        } finally {
            abandonAll();
            model.close();
        }
    }

    /** Lets waiting requests join while there is room; waits for one if there is nothing to do. */
    private void admit() throws InterruptedException {
        while (active.size() < settings.maxBatchSize()) {
            ActiveGeneration next = waiting.poll();
            if (next == null) {
                next = active.isEmpty() ? submitted.take() : submitted.poll();
            }
            if (next == null) {
                return;
            }
            if (!next.started() && !start(next)) {
                continue;
            }
            if (!active.isEmpty() && !hasMemoryFor(next.sequence())) {
                waiting.push(next);
                return;
            }
            active.add(next);
        }
    }

    /** Whether a sequence could join without taking from those under way. */
    private boolean hasMemoryFor(Sequence sequence) {
        return prefixes.hasRoom(sequence.length() / KeyValueBlock.TOKENS + 1 + active.size());
    }

    /** Ends those that were aborted while they waited. */
    private void failAborted() {
        submitted.removeIf(this::failIfAborted);
        waiting.removeIf(this::failIfAborted);
    }

    private boolean failIfAborted(ActiveGeneration generation) {
        try {
            generation.checkAborted();
            return false;
        } catch (RequestFailedException e) {
            generation.fail(e.failure());
            return true;
        }
    }

    private void round() {
        batch.clear();
        active.removeIf(this::failIfAborted);
        startRound();
        if (batch.isEmpty()) {
            return;
        }
        decoding.round(batch);
        boolean prefilling = false;
        int written = 0;
        for (Iterator<ActiveGeneration> each = active.iterator(); each.hasNext(); ) {
            ActiveGeneration generation = each.next();
            if (generation.sequence().inRound()) {
                Sequence sequence = generation.sequence();
                prefilling |= sequence.isPrefilling();
                boolean prefilled = sequence.isPrefilling() && sequence.writes();
                written += accept(generation);
                if (prefilled && !generation.isDone()) {
                    remember(sequence);
                }
            }
            if (generation.isDone()) {
                each.remove();
            }
        }
        // Where prompts share a pass, what it cost says nothing of decoding.
        policy.endRound(prefilling ? 0 : batch.size(), written);
    }

    /** Gives every sequence its part of the round, and the memory that it may need for it. */
    private void startRound() {
        int decoders = 0;
        for (ActiveGeneration generation : active) {
            decoders += generation.sequence().prefilled() ? 1 : 0;
        }
        int promptTokens = decoders > 0 ? PROMPT_TOKENS_BESIDE_OTHERS : PROMPT_TOKENS;
        int mostDrafts = (LayerSkipModel.MAX_ROWS - PROMPT_TOKENS) / Math.max(1, active.size()) - 1;
        for (int i = 0; i < active.size(); i++) {
            Sequence sequence = active.get(i).sequence();
            sequence.leaveRound();
            if (sequence.prefilled()) {
                sequence.startRound(mostDrafts);
            } else if (promptTokens > 0) {
                if (sequence.cached() == 0) {
                    // The last token's logits are needed, so it always goes through the model.
                    int known =
                            prefixes.load(
                                    sequence.tokens(), sequence.length() - 1, sequence.cache());
                    sequence.foundInCache(known);
                }
                sequence.startChunk(promptTokens, mostDrafts);
            } else {
                continue;
            }
            if (!reserve(sequence, i)) {
                return;
            }
            promptTokens -= sequence.isPrefilling() ? sequence.pending() : 0;
            batch.add(sequence);
        }
    }

    /**
     * Makes room for what a sequence may write in this round; those that joined later give theirs
     * up for it, the youngest first.
     *
     * @return false if it was the youngest itself
     */
    private boolean reserve(Sequence sequence, int index) {
        while (!prefixes.reserve(sequence.cache(), sequence.positionsNeeded())) {
            ActiveGeneration youngest = active.remove(active.size() - 1);
            youngest.sequence().preempt();
            waiting.push(youngest);
            if (active.size() == index) {
                return false;
            }
        }
        return true;
    }

    /** Writes what a round brought; returns how many tokens that is. */
    private int accept(ActiveGeneration generation) {
        try {
            return generation.accept(policy, writtenTokens);
        } catch (RuntimeException e) {
            generation.fail(internalError(e));
            return 0;
        }
    }

    private static GenerationFailure internalError(RuntimeException e) {
        return new GenerationFailure(
                GenerationFailure.Kind.INTERNAL_ERROR, "generation failed: " + e);
    }

    /** Keeps a prompt's keys and values for prompts that begin alike. */
    private void remember(Sequence sequence) {
        prefixes.store(sequence.tokens(), sequence.promptLength(), sequence.cache());
    }

    /** Makes a sequence of a request; one that asks for the impossible fails here. */
    private boolean start(ActiveGeneration generation) {
        try {
            generation.checkAborted();
            prepare(generation);
            return true;
        } catch (RequestFailedException e) {
            generation.fail(e.failure());
        } catch (RuntimeException e) {
            generation.fail(internalError(e));
        }
        return false;
    }

    private void prepare(ActiveGeneration generation) throws RequestFailedException {
        GenerationParameters asked = generation.request().parameters().orElse(settings.defaults());
        int[] prompt = checkpoint.tokenizer().encode(generation.request().prompt());
        int context =
                Math.min(config.maxPositionEmbeddings(), memory.capacity() * KeyValueBlock.TOKENS);
        int room = context - prompt.length;
        if (prompt.length == 0) {
            throw new RequestFailedException(
                    GenerationFailure.Kind.INVALID_REQUEST, "the prompt has no tokens");
        }
        if (room < 1) {
            throw new RequestFailedException(
                    GenerationFailure.Kind.PROMPT_TOO_LONG,
                    "the prompt has %d tokens; allowed: at most %d, one less than %s"
                            .formatted(
                                    prompt.length,
                                    context - 1,
                                    context == config.maxPositionEmbeddings()
                                            ? "the model's context"
                                            : "the memory for keys and values holds"));
        }
        int maxTokens =
                asked.maxTokens().orElseGet(() -> config.defaultMaxNewTokens().orElse(room));
        Sequence sequence =
                new Sequence(
                        prompt,
                        Math.min(room, maxTokens),
                        new Sequence.Drafting(
                                exitLayer(asked),
                                numAssistantTokens(asked),
                                settings.assistantConfidenceThreshold()),
                        asked.ignoreEos() ? Set.of() : Set.copyOf(config.eosTokenIds()),
                        new Sampling(
                                asked.temperature().orElseThrow(),
                                asked.topK().orElseThrow(),
                                asked.topP().orElseThrow()),
                        asked.seed().orElse(generation.request().id().hashCode()),
                        new KeyValueCache(memory));
        generation.start(
                sequence, new CompletionText(checkpoint.tokenizer(), asked.stop(), prompt.length));
    }

    /** A request that asks for no early exit is decoded plainly, at any open one. */
    private int exitLayer(GenerationParameters asked) throws RequestFailedException {
        int byDefault = settings.exitLayers().get(0);
        int exit = asked.assistantEarlyExit().orElse(byDefault);
        if (exit == 0) {
            return byDefault;
        }
        if (!settings.exitLayers().contains(exit)) {
            throw new RequestFailedException(
                    GenerationFailure.Kind.INVALID_REQUEST,
                    "assistant_early_exit is %d; allowed: 0 (no draft) or an open exit layer, %s"
                            .formatted(exit, settings.exitLayers()));
        }
        return exit;
    }

    private OptionalInt numAssistantTokens(GenerationParameters asked) {
        if (asked.assistantEarlyExit().orElse(settings.exitLayers().get(0)) == 0) {
            return OptionalInt.of(0);
        }
        return asked.numAssistantTokens();
    }

    private void abandonAll() {
        EngineFailedException reason = ended.orElseThrow();
        active.forEach(generation -> generation.abandon(reason));
        active.clear();
        waiting.forEach(generation -> generation.abandon(reason));
        waiting.clear();
        for (ActiveGeneration left = submitted.poll(); left != null; left = submitted.poll()) {
            left.abandon(reason);
        }
    }
}
