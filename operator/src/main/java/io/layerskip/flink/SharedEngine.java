package io.layerskip.flink;

import io.layerskip.engine.EngineSettings;
import io.layerskip.engine.Generation;
import io.layerskip.engine.GenerationEngine;
import io.layerskip.engine.GenerationFailure;
import io.layerskip.engine.GenerationParameters;
import io.layerskip.engine.GenerationProgress;
import io.layerskip.engine.GenerationRequest;
import io.layerskip.engine.GenerationResult;
import io.layerskip.forward.OnnxRuntimeCleanup;
import io.layerskip.model.Checkpoint;
import io.layerskip.model.FolderStamp;
import io.layerskip.model.ModelLocation;
import io.layerskip.model.Sha256;
import io.layerskip.model.SharedResources;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.metrics.MetricGroup;

/**
 * One engine for all in a process who are configured alike, for functions that keep no state:
 * requests of all of them share its passes, and the last to close it ends it. What a request may
 * say for itself, such as {@code max_tokens}, may differ between them.
 *
 * <pre>{@code
 * SharedEngine engine = SharedEngine.open(configuration, loader, context.getMetricGroup());
 * engine.generate(request, Duration.ofMinutes(1), "my timeout").thenAccept(...);
 * }</pre>
 *
 * <p>A static field holds what is shared, so it is shared by what has the same class loader: all
 * subtasks of a job in a TaskManager; with these classes in Flink's {@code lib}, also all jobs that
 * name a folder as their model.
 */
@PublicEvolving
public final class SharedEngine implements AutoCloseable {

    /** What Flink takes for temporary files too, unless it is told otherwise. */
    private static final Path LOCAL_FOLDER = Path.of(System.getProperty("java.io.tmpdir"));

    private static final SharedResources<Key, Opened> SHARED =
            new SharedResources<>(opened -> opened.engine().close());

    private final SharedResources.Use<Opened> use;
    private final GenerationParameters defaults;
    private final RequestNotes notes;
    private final LongAdder writtenTokens = new LongAdder();

    /** Guarded by itself: results come on the engine's threads. */
    private final GenerationMetrics metrics;

    /** What is under way, with its result; who has none any more is not in it. */
    private final Map<Generation, CompletableFuture<GenerationResult>> inFlight =
            new ConcurrentHashMap<>();

    private volatile boolean closed;

    private SharedEngine(
            SharedResources.Use<Opened> use, GenerationParameters defaults, MetricGroup operator) {
        this.use = use;
        this.notes = RequestNotes.open(Optional.of(LOCAL_FOLDER));
        this.defaults = defaults;
        this.metrics =
                new GenerationMetrics(
                        operator, writtenTokens::sum, engine()::status, use.resource().loadTime());
    }

    /**
     * What an engine follows from.
     *
     * @param loader of a model on the class path; empty for a folder
     * @param files of a folder; those on the class path stay as they are
     */
    private record Key(
            ModelLocation model,
            Optional<ClassLoader> loader,
            Optional<FolderStamp> files,
            boolean splitSpecialTokens,
            EngineSettings settings) {

        private static Key of(LayerSkipConfiguration configuration, ClassLoader loader)
                throws IOException {
            ModelLocation model = configuration.model();
            Optional<FolderStamp> files = model.stamp(loader);
            return new Key(
                    model,
                    files.isPresent() ? Optional.empty() : Optional.of(loader),
                    files,
                    configuration.splitSpecialTokens(),
                    configuration.toEngineSettings(1));
        }
    }

    private record Opened(ConfiguredEngine engine, Duration loadTime) {

        private static Opened open(
                LayerSkipConfiguration configuration, ClassLoader loader, LoadLog log)
                throws IOException {
            long start = System.nanoTime();
            ConfiguredEngine engine = ConfiguredEngine.open(configuration, loader, 1, log);
            return new Opened(engine, Duration.ofNanos(System.nanoTime() - start));
        }
    }

    /**
     * Opens the engine, or waits while another opens it; takes seconds, and minutes for a large
     * model. It computes on all of this machine's cores and keeps keys and values in a quarter of
     * the heap, unless the configuration says otherwise.
     *
     * @param loader looks for a model on the class path
     * @param operator the metrics go here, in a group {@code layerskip}. What becomes of requests
     *     is counted for this user alone; what the engine shows of itself is that of all
     * @throws org.apache.flink.configuration.IllegalConfigurationException if the model has no such
     *     layer to exit after, or Flink has no file system for its address
     * @throws IllegalArgumentException if the memory for keys and values is too small for the model
     * @throws io.layerskip.model.CheckpointException if there is no such checkpoint, or it cannot
     *     be fetched or served
     * @throws IOException if it cannot be copied out of a jar or into the cache folder, or the
     *     thread is interrupted while it is fetched or another opens it
     * @throws io.layerskip.engine.EngineFailedException if the weights need more memory than this
     *     process may still take, or the engine cannot be built
     */
    public static SharedEngine open(
            LayerSkipConfiguration configuration, ClassLoader loader, MetricGroup operator)
            throws IOException {
        LoadLog log = new LoadLog(configuration.model().modelName());
        LayerSkipConfiguration engine = configuration.withoutDefaults().fetched(log);
        Key key = Key.of(engine, loader);
        // A folder needs no loader, and what outlives a job should not hold on to the job's.
        ClassLoader needed = key.loader().orElse(SharedEngine.class.getClassLoader());
        return new SharedEngine(
                SHARED.use(key, () -> Opened.open(engine, needed, log)),
                configuration.defaults(),
                operator);
    }

    /**
     * Has Flink take back what ONNX Runtime leaves in the JVM, when it lets go of the classes of a
     * job whose jar these came in.
     */
    public static void cleanUpAfter(RuntimeContext context) {
        context.registerUserCodeClassLoaderReleaseHookIfAbsent(
                OnnxRuntimeCleanup.class.getName(), OnnxRuntimeCleanup::release);
    }

    /** The checkpoint; usable until {@link #close()}. */
    public Checkpoint checkpoint() {
        return use.resource().engine().checkpoint();
    }

    private GenerationEngine engine() {
        return use.resource().engine().engine();
    }

    /**
     * Takes a request; never blocks. Thread-safe.
     *
     * @param timeout within which the result is there: one that takes longer ends as a failure
     * @param setting the timeout's name, for that failure
     * @return what became of it; exceptionally only if the engine broke, and not at all once this
     *     is closed. Completed on one of the engine's threads, or one of the JVM's
     */
    public CompletableFuture<GenerationResult> generate(
            GenerationRequest request, Duration timeout, String setting) {
        GenerationRequest whole =
                new GenerationRequest(
                        request.id(),
                        request.prompt(),
                        request.chat(),
                        request.parameters().orElse(defaults),
                        request.attachment());
        GenerationFailure late =
                new GenerationFailure(
                        GenerationFailure.Kind.TIMEOUT,
                        "not done within %s of %d ms".formatted(setting, timeout.toMillis()));
        synchronized (metrics) {
            metrics.countPrompt(0);
        }
        Generation generation = start(whole);
        CompletableFuture<GenerationResult> answer = generation.result().copy();
        CompletableFuture<GenerationResult> returned = new CompletableFuture<>();
        inFlight.put(generation, answer);
        answer.whenComplete(
                (result, error) -> {
                    inFlight.remove(generation);
                    // Nothing happens to one that has ended; one that is late ends now.
                    generation.abort(late);
                    complete(returned, result, error);
                });
        answer.completeOnTimeout(
                GenerationResult.failed(whole, late), timeout.toMillis(), TimeUnit.MILLISECONDS);
        return returned;
    }

    private Generation start(GenerationRequest request) {
        String key = key(request);
        return notes.verdict(key)
                .map(failure -> Generation.ended(GenerationResult.failed(request, failure)))
                .orElseGet(
                        () -> engine().submit(request, GenerationProgress.NONE, notes.watch(key)));
    }

    /** What a request's text follows from: there is no telling equal ones apart. */
    private String key(GenerationRequest request) {
        Sha256 key =
                new Sha256()
                        .update(engine().systemFingerprint())
                        .update(request.id())
                        .update(request.prompt())
                        .update(request.parameters().toString());
        request.chat().ifPresent(chat -> key.update(chat.toString()));
        return key.hex();
    }

    private void complete(
            CompletableFuture<GenerationResult> returned,
            GenerationResult result,
            Throwable error) {
        if (error != null) {
            notes.failed(error);
        }
        if (closed) {
            return;
        }
        if (error != null) {
            // Whoever opens it after this failure shall have one that works.
            use.retire();
            returned.completeExceptionally(error);
            return;
        }
        writtenTokens.add(result.statistics().completionTokens());
        synchronized (metrics) {
            metrics.countResult(result);
        }
        returned.complete(result);
    }

    /** Ends what this user has under way; the last user ends the engine. Idempotent. */
    @Override
    public void close() {
        closed = true;
        inFlight.values().forEach(answer -> answer.cancel(false));
        use.close();
        notes.close();
        NativeHeap.trim();
    }
}
