package io.layerskip.engine;

import io.layerskip.forward.ForwardException;
import io.layerskip.forward.KeyValueMemory;
import io.layerskip.forward.LayerSkipModel;
import io.layerskip.forward.LoadListener;
import io.layerskip.forward.PassThreads;
import io.layerskip.model.Checkpoint;
import io.layerskip.model.Sha256;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.apache.flink.annotation.PublicEvolving;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Generates with one model on one thread of its own; another one prepares those with long prompts.
 *
 * <p>Requests queue without a bound (whoever submits bounds what is in flight). Up to {@link
 * EngineSettings#maxBatchSize} are generated together and share every pass over the weights: new
 * ones join between rounds and finished ones leave at once. A prompt is taken in parts beside the
 * others' rounds, so that a long one does not stall them; beginnings that prompts have in common
 * are computed once. When the memory for keys and values is full, requests wait, and if those under
 * way need more, the youngest gives up part of its memory and waits too. A request that fails is a
 * result; only a model that breaks ends the engine, and then every result completes with an {@link
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
@PublicEvolving
public final class GenerationEngine implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(GenerationEngine.class);

    private final Checkpoint checkpoint;
    private final LayerSkipModel model;
    private final PreparationQueue queue;
    private final ContinuousBatching batching;
    private final Thread thread = new Thread(this::run, "layerskip-engine");
    private final LongAdder writtenTokens = new LongAdder();
    private final Isolation isolation = new Isolation();
    private final PassClock clock = new PassClock();
    private final PassWatchdog watchdog;
    private final Duration passTimeout;

    /** Those whose results are not complete, for when the engine's thread cannot see to that. */
    private final Set<ActiveGeneration> unfinished = ConcurrentHashMap.newKeySet();

    /** When the engine's thread has ended, or hangs. */
    private final CountDownLatch gone = new CountDownLatch(1);

    /** When the engine's thread has ended, and all is freed. */
    private final CompletableFuture<Void> freed = new CompletableFuture<>();

    private final String systemFingerprint;
    private final GenerationParameters defaults;

    private volatile Optional<EngineFailedException> ended = Optional.empty();
    private volatile Optional<EngineFailedException> hung = Optional.empty();

    private GenerationEngine(
            Checkpoint checkpoint,
            EngineSettings settings,
            LayerSkipModel model,
            UnaryOperator<Consumer<List<Turn>>> wrapper)
            throws IOException {
        KeyValueMemory memory =
                new KeyValueMemory(
                        checkpoint.config(), settings.kvCacheType(), settings.kvCacheBytes());
        InternalErrors errors = new InternalErrors(LOG::error, System::nanoTime);
        this.checkpoint = checkpoint;
        this.model = model;
        this.systemFingerprint = systemFingerprint(checkpoint, settings);
        this.defaults = settings.defaults();
        this.batching =
                new ContinuousBatching(
                        model, memory, settings, errors, isolation, clock, writtenTokens, wrapper);
        this.queue =
                new PreparationQueue(
                        new RequestPreparation(checkpoint, settings, memory),
                        errors,
                        isolation,
                        this::end);
        this.passTimeout = settings.passTimeout();
        this.watchdog = new PassWatchdog(clock, passTimeout, this::hang);
        thread.setDaemon(true);
    }

    /**
     * An engine; see {@link #open(Checkpoint, EngineSettings, LoadListener)}.
     *
     * @param checkpoint stays the caller's to close, after the engine
     */
    public static GenerationEngine open(Checkpoint checkpoint, EngineSettings settings) {
        return open(checkpoint, settings, LoadListener.NONE);
    }

    /**
     * Loads the weights, which takes seconds for a large model, measures what passes cost on this
     * machine, and starts the engine's threads. Engines of a process that have the same weights,
     * exits and threads share one copy of them: the first loads them, while others wait, and the
     * last one to be closed frees them. A thread that is interrupted stops loading soon, at the
     * latest when the session that is being built stands.
     *
     * @param checkpoint stays the caller's to close, after the engine
     * @param listener of the loading, if that is needed
     * @throws IllegalArgumentException if an exit layer is not in 1..L-1, or the memory for keys
     *     and values is too small for this model
     * @throws EngineFailedException if quantized weights cannot be made or ONNX Runtime cannot
     *     build the sessions, or the thread is interrupted, which it stays
     */
    public static GenerationEngine open(
            Checkpoint checkpoint, EngineSettings settings, LoadListener listener) {
        return open(checkpoint, settings, listener, UnaryOperator.identity());
    }

    /**
     * The same with rounds that do more.
     *
     * @param wrapper of what takes rounds through the model
     */
    static GenerationEngine open(
            Checkpoint checkpoint,
            EngineSettings settings,
            LoadListener listener,
            UnaryOperator<Consumer<List<Turn>>> wrapper) {
        try {
            LayerSkipModel model =
                    new LayerSkipModel(
                            checkpoint,
                            settings.exitLayers(),
                            settings.precision(),
                            settings.cacheFolder(),
                            new PassThreads(settings.threads(), settings.engines()),
                            listener);
            try {
                GenerationEngine engine =
                        new GenerationEngine(checkpoint, settings, model, wrapper);
                engine.thread.start();
                engine.queue.start();
                engine.watchdog.start();
                return engine;
            } catch (IOException | RuntimeException | Error e) {
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
        return submit(request, progress, RequestWatch.NONE);
    }

    /**
     * The same, and tells the watch when it begins and when it has ended. A request that must be
     * alone begins when those under way have ended; until it has its result, this engine begins
     * nothing else and no other engine of the process computes.
     *
     * @throws IllegalArgumentException if the model has no such token
     */
    public Generation submit(
            GenerationRequest request, GenerationProgress progress, RequestWatch watch) {
        checkTokens(request, progress);
        progress.moreChoices().forEach(choice -> checkTokens(request, choice));
        return submit(request, progress, generation(request, progress, watch));
    }

    private void checkTokens(GenerationRequest request, GenerationProgress progress) {
        int vocabSize = checkpoint.config().vocabSize();
        for (int token : progress.tokenIds()) {
            if (token < 0 || token >= vocabSize) {
                throw new IllegalArgumentException(
                        "request %s goes on after token %d; allowed: 0 to %d"
                                .formatted(request.id(), token, vocabSize - 1));
            }
        }
    }

    private ActiveGeneration generation(
            GenerationRequest request, GenerationProgress progress, RequestWatch watch) {
        return new ActiveGeneration(
                request, progress, systemFingerprint, watch, chunk -> {}, false);
    }

    /**
     * Takes a request and hands over its text as it is written, on the engine's thread; of several
     * completions the first one's, and never an echo. Never blocks. Thread-safe.
     */
    public Generation submit(GenerationRequest request, Consumer<TextChunk> listener) {
        return submit(
                request,
                GenerationProgress.NONE,
                new ActiveGeneration(
                        request,
                        GenerationProgress.NONE,
                        systemFingerprint,
                        RequestWatch.NONE,
                        listener,
                        true));
    }

    /** Takes a request's first completion, and with it the others that it asks for. */
    private Generation submit(
            GenerationRequest request, GenerationProgress progress, ActiveGeneration first) {
        int n = request.parameters().n().orElse(defaults.n().orElse(1));
        Generation all = first;
        if (n > 1) {
            List<ActiveGeneration> choices = new ArrayList<>();
            choices.add(first);
            for (int i = 0; i < n - 1; i++) {
                List<GenerationProgress> begun = progress.moreChoices();
                choices.add(
                        generation(
                                request,
                                i < begun.size() ? begun.get(i) : GenerationProgress.NONE,
                                RequestWatch.NONE));
            }
            all = new ChoiceGroup(choices);
        }
        all.result()
                .whenComplete(
                        (result, error) -> {
                            unfinished.remove(first);
                            if (error == null) {
                                first.watch().ended();
                            }
                        });
        unfinished.add(first);
        queue.submit(first);
        // Whoever finds that the thread hangs ends what it sees; this request may have come later.
        hung.ifPresent(first::giveUp);
        return all;
    }

    /**
     * How many tokens were written since the engine opened: also of generations that have yet to
     * end, or fail. Thread-safe.
     */
    public long writtenTokens() {
        return writtenTokens.sum();
    }

    /** What it has under way and has done, as it stood after the latest round. Thread-safe. */
    public EngineStatus status() {
        return batching.status().since(queue.size(), Duration.ofNanos(clock.nanos()));
    }

    /**
     * Tells apart what texts may differ by: the checkpoint, its tokenizer, the precision and the
     * type of keys and values, if they are rounded. Ten digits of a hash, as in OpenAI's field of
     * that name: {@code fp_290a157fbd}.
     */
    public String systemFingerprint() {
        return systemFingerprint;
    }

    private static String systemFingerprint(Checkpoint checkpoint, EngineSettings settings)
            throws IOException {
        String hash =
                new Sha256()
                        .update(checkpoint.fingerprint())
                        .update(checkpoint.tokenizerFingerprint())
                        .update(settings.arithmetic())
                        .hex();
        return "fp_" + hash.substring(0, 10);
    }

    /**
     * Ends what runs and waits (its results complete with an {@link EngineFailedException}), waits
     * for the pass under way and the prompt that is being tokenised, and frees the sessions. A pass
     * that takes longer than it may is not waited for; then nothing is freed before it ends.
     * Idempotent. Not to be called by a listener or by what follows a result: those run on the
     * threads that are waited for.
     */
    @Override
    public void close() {
        end(new EngineFailedException("the engine was closed"));
        Threads.await(gone);
        if (hung.isEmpty()) {
            Threads.join(thread);
        }
    }

    /**
     * Runs something when the engine's thread has ended and all is freed, after {@link #close}:
     * mostly at once, but where a pass hangs, if ever that ends.
     */
    public void whenFreed(Runnable then) {
        freed.thenRun(then);
    }

    /** Ends all requests: the engine's thread is in a pass that takes longer than it may. */
    private void hang() {
        EngineFailedException reason =
                EngineFailedException.underWay(
                        "a pass has taken more than the %d ms of pass-timeout"
                                .formatted(passTimeout.toMillis()));
        LOG.error(
                "{}; the engine is given up with what it holds, and if others hang too, only a new process"
                        + " helps. All threads:{}",
                reason.getMessage(),
                ThreadDump.ofProcess());
        hung = Optional.of(reason);
        end(reason);
        unfinished.forEach(generation -> generation.giveUp(reason));
        isolation.release();
        gone.countDown();
    }

    private synchronized void end(EngineFailedException reason) {
        if (ended.isEmpty()) {
            ended = Optional.of(reason);
            queue.end(reason);
        }
        thread.interrupt();
    }

    private void free() {
        watchdog.close();
        isolation.release();
        queue.close();
        batching.abandon(ended.orElseThrow());
        model.close();
    }

    private void run() {
        try {
            while (ended.isEmpty()) {
                queue.endAborted();
                batching.admit(queue);
                batching.round();
            }
        } catch (EngineFailedException e) {
            end(e);
        } catch (InterruptedException e) {
            // Mostly end() itself, which wakes the thread while it waits for requests.
            end(new EngineFailedException("the engine's thread was interrupted", e));
        } catch (InternalError e) {
            // How the JVM reports a mapped file's pages that are gone.
            end(
                    new EngineFailedException(
                            "a file of the model in %s cannot be read any more; has it become shorter? %s"
                                    .formatted(checkpoint.folder(), e),
                            e));
        } catch (RuntimeException | Error e) {
            end(EngineFailedException.underWay("the model broke: " + e, e));
        } finally {
            try {
                free();
            } finally {
                gone.countDown();
                freed.complete(null);
            }
        }
    }
}
