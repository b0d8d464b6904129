package io.layerskip.engine;

import ai.onnxruntime.OrtException;
import io.layerskip.model.Checkpoint;
import io.layerskip.model.ModelConfig;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.function.Consumer;

/**
 * Generates with one model on one thread of its own.
 *
 * <p>Requests queue without a bound (whoever submits bounds what is in flight). Up to {@link
 * EngineSettings#maxActiveRequests} are generated at the same time, a round of each in turn, so
 * that a long one does not hold up the short ones behind it. A request that fails is a result; only
 * a model that breaks ends the engine, and then every result completes with an {@link
 * EngineFailedException}.
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

    private final Checkpoint checkpoint;
    private final ModelConfig config;
    private final EngineSettings settings;
    private final LayerSkipModel model;
    private final SelfSpeculation decoding;
    private final Thread thread;
    private final BlockingQueue<ActiveGeneration> submitted = new LinkedBlockingQueue<>();
    private final Deque<ActiveGeneration> active = new ArrayDeque<>();

    private volatile Optional<EngineFailedException> ended = Optional.empty();

    private GenerationEngine(Checkpoint checkpoint, EngineSettings settings, LayerSkipModel model) {
        this.checkpoint = checkpoint;
        this.config = checkpoint.config();
        this.settings = settings;
        this.model = model;
        this.decoding = new SelfSpeculation(model, GenerationParameters.MAX_ASSISTANT_TOKENS);
        this.thread = new Thread(this::run, "layerskip-engine");
        thread.setDaemon(true);
    }

    /**
     * Builds the sessions, which takes seconds for a large model, and starts the engine's thread.
     *
     * @param checkpoint stays the caller's to close, after the engine
     * @throws IllegalArgumentException if an exit layer is not in 1..L-1
     * @throws EngineFailedException if ONNX Runtime cannot build the sessions
     */
    public static GenerationEngine open(Checkpoint checkpoint, EngineSettings settings) {
        LayerSkipModel model;
        try {
            model =
                    new LayerSkipModel(
                            checkpoint,
                            settings.exitLayers(),
                            settings.threads(),
                            GenerationParameters.MAX_ASSISTANT_TOKENS + 1);
        } catch (OrtException e) {
            throw new EngineFailedException(
                    "cannot build the model in " + checkpoint.folder() + ": " + e.getMessage(), e);
        }
        try {
            GenerationEngine engine = new GenerationEngine(checkpoint, settings, model);
            engine.thread.start();
            return engine;
        } catch (RuntimeException | Error e) {
            model.close();
            throw e;
        }
    }

    /** Takes a request; never blocks. Thread-safe. */
    public Generation submit(GenerationRequest request) {
        return submit(request, chunk -> {}, false);
    }

    /**
     * Takes a request and hands over its text as it is written, on the engine's thread; never
     * blocks. Thread-safe.
     */
    public Generation submit(GenerationRequest request, Consumer<TextChunk> listener) {
        return submit(request, listener, true);
    }

    private Generation submit(
            GenerationRequest request, Consumer<TextChunk> listener, boolean watched) {
        ActiveGeneration generation = new ActiveGeneration(request, listener, watched);
        submitted.add(generation);
        // Whoever ends the engine empties the queue afterwards; one of the two sees this request.
        if (ended.isPresent() && submitted.remove(generation)) {
            generation.abandon(ended.get());
        }
        return generation;
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
                stepEach();
            }
        } catch (InterruptedException e) {
            // close() wakes the thread while it waits for requests.
        } catch (OrtException | RuntimeException | Error e) {
            end(new EngineFailedException("the model broke: " + e, e));
        } finally {
            abandonAll();
            model.close();
        }
    }

    /** Starts waiting requests while there is room; waits for one if there is nothing to do. */
    private void admit() throws InterruptedException {
        while (active.size() < settings.maxActiveRequests()) {
            ActiveGeneration next = active.isEmpty() ? submitted.take() : submitted.poll();
            if (next == null) {
                return;
            }
            active.add(next);
        }
    }

    /** Ends those that were aborted while they waited. */
    private void failAborted() {
        submitted.removeIf(
                waiting -> {
                    try {
                        waiting.checkAborted();
                        return false;
                    } catch (RequestFailedException e) {
                        waiting.fail(e.failure());
                        return true;
                    }
                });
    }

    private void stepEach() throws OrtException {
        for (Iterator<ActiveGeneration> each = active.iterator(); each.hasNext(); ) {
            if (!step(each.next())) {
                each.remove();
            }
        }
    }

    /** Takes a request one pass further; returns whether it goes on. */
    private boolean step(ActiveGeneration generation) throws OrtException {
        try {
            generation.checkAborted();
            if (!generation.started()) {
                start(generation);
            }
            if (generation.step(decoding)) {
                return true;
            }
            generation.complete();
        } catch (RequestFailedException e) {
            generation.fail(e.failure());
        } catch (RuntimeException e) {
            generation.fail(
                    new GenerationFailure(
                            GenerationFailure.Kind.INTERNAL_ERROR, "generation failed: " + e));
        }
        return false;
    }

    private void start(ActiveGeneration generation) throws RequestFailedException {
        GenerationParameters asked = generation.request().parameters();
        int[] prompt = checkpoint.tokenizer().encode(generation.request().prompt());
        int room = config.maxPositionEmbeddings() - prompt.length;
        if (prompt.length == 0) {
            throw new RequestFailedException(
                    GenerationFailure.Kind.INVALID_REQUEST, "the prompt has no tokens");
        }
        if (room < 1) {
            throw new RequestFailedException(
                    GenerationFailure.Kind.PROMPT_TOO_LONG,
                    "the prompt has %d tokens; allowed: at most %d, one less than the model's context"
                            .formatted(prompt.length, config.maxPositionEmbeddings() - 1));
        }
        int maxTokens = asked.maxTokens().orElse(defaultMaxTokens(room));
        Sequence sequence =
                new Sequence(
                        prompt,
                        Math.min(room, maxTokens),
                        exitLayer(asked),
                        numAssistantTokens(asked),
                        asked.ignoreEos() ? Set.of() : Set.copyOf(config.eosTokenIds()),
                        new Sampling(
                                asked.temperature().orElse(settings.temperature()),
                                asked.topK().orElse(settings.topK()),
                                asked.topP().orElse(settings.topP())),
                        asked.seed().orElse(generation.request().id().hashCode()),
                        model.newCache());
        generation.start(
                sequence, new CompletionText(checkpoint.tokenizer(), asked.stop(), prompt.length));
    }

    private int defaultMaxTokens(int room) {
        return settings.maxTokens().orElse(config.defaultMaxNewTokens().orElse(room));
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

    private int numAssistantTokens(GenerationParameters asked) {
        if (asked.assistantEarlyExit().orElse(settings.exitLayers().get(0)) == 0) {
            return 0;
        }
        return asked.numAssistantTokens().orElse(settings.numAssistantTokens());
    }

    private void abandonAll() {
        EngineFailedException reason = ended.orElseThrow();
        active.forEach(generation -> generation.abandon(reason));
        active.clear();
        for (ActiveGeneration left = submitted.poll(); left != null; left = submitted.poll()) {
            left.abandon(reason);
        }
    }
}
