package io.layerskip.flink;

import io.layerskip.chat.ChatFormat;
import io.layerskip.engine.EngineSettings;
import io.layerskip.engine.Generation;
import io.layerskip.engine.GenerationFailure;
import io.layerskip.engine.GenerationParameters;
import io.layerskip.engine.GenerationProgress;
import io.layerskip.engine.GenerationRequest;
import io.layerskip.engine.GenerationResult;
import io.layerskip.model.ModelConfig;
import io.layerskip.model.Sha256;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.Partitioner;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.typeutils.ResultTypeQueryable;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.runtime.taskmanager.TaskManagerRuntimeInfo;
import org.apache.flink.streaming.api.datastream.AsyncDataStream.OutputMode;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.functions.async.ResultFuture;
import org.apache.flink.streaming.api.functions.async.RichAsyncFunction;
import org.apache.flink.streaming.api.operators.StreamingRuntimeContext;
import org.apache.flink.util.IOUtils;

/**
 * Completes prompts with one model per subtask; those in a process share its weights.
 *
 * <pre>{@code
 * DataStream<GenerationResult> results =
 *         LayerSkipAsyncFunction.generate(requests, LayerSkipConfiguration.from(options))
 *                 .uid("layerskip");
 * }</pre>
 *
 * <p>Every request gives exactly one result: one that fails or takes too long becomes a result that
 * carries its failure. Only a broken engine fails the task. A request that was under way whenever
 * the process ended, or the engine broke, runs alone after the second time and fails after the
 * third; see {@code RequestNotes}.
 *
 * <p>A checkpoint of the operator that {@link #generate} makes keeps the requests in flight, each
 * with how far it has come: after a restart, in whatever parallelism, the subtask that is given a
 * request goes on after its tokens. The text is the same as if nothing had happened. If the model
 * or a setting that the text follows from is another one by then, the request starts over.
 */
@PublicEvolving
public final class LayerSkipAsyncFunction
        extends RichAsyncFunction<GenerationRequest, GenerationResult>
        implements ResultTypeQueryable<GenerationResult> {

    private static final long serialVersionUID = 1;

    private final LayerSkipConfiguration configuration;

    private transient int slots;
    private transient Optional<Path> localFolder;
    private transient RequestNotes notes;
    private transient ConfiguredEngine opened;
    private transient GenerationMetrics metrics;
    private transient String recipe;

    /** What the recipe was in builds that did not look at the tokenizer. */
    private transient String firstRecipe;

    /** What the prompt of a chat follows from beside its messages. */
    private transient String chatFormat;

    private transient RequestMemory memory;
    private transient InFlight inFlight;

    /** What a checkpoint says of the request that comes next. */
    private transient Restored next;

    /** What checkpoints of earlier versions say of requests, by their keys. */
    private transient Map<String, SavedGeneration> restoredByKey;

    private transient volatile boolean closed;

    /**
     * @param generation how far it had come, if a checkpoint says so
     * @param refusal why it is no request any more, if so
     */
    private record Restored(
            Optional<SavedGeneration> generation, Optional<GenerationFailure> refusal) {

        private static final Restored NOTHING = new Restored(Optional.empty(), Optional.empty());
    }

    public LayerSkipAsyncFunction(LayerSkipConfiguration configuration) {
        this.configuration = configuration;
    }

    /**
     * Completes the requests of a stream, with the configured capacity, timeout and order. A change
     * of parallelism deals out what is in flight without regard to order.
     */
    public static SingleOutputStreamOperator<GenerationResult> generate(
            DataStream<GenerationRequest> requests, LayerSkipConfiguration configuration) {
        return generate(requests, GenerationOperatorFactory.dealingOut(configuration));
    }

    /**
     * Completes the requests of a stream, with the configured capacity, timeout and order. The
     * order holds for requests that go to the same subtask in every parallelism, those of one key
     * for example, and so it holds through a change of parallelism.
     *
     * @param routing which subtask, of so many, the stream hands a request to; if it hands it to
     *     another, no request is lost, but order may be
     */
    public static SingleOutputStreamOperator<GenerationResult> generate(
            DataStream<GenerationRequest> requests,
            LayerSkipConfiguration configuration,
            Partitioner<GenerationRequest> routing) {
        return generate(requests, configuration, routing, CheckpointedForm.WHOLE);
    }

    /**
     * The same, for requests that can be read again out of what they came in.
     *
     * @param form in which checkpoints keep requests
     */
    public static SingleOutputStreamOperator<GenerationResult> generate(
            DataStream<GenerationRequest> requests,
            LayerSkipConfiguration configuration,
            Partitioner<GenerationRequest> routing,
            CheckpointedForm form) {
        return generate(
                requests,
                GenerationOperatorFactory.routing(
                        configuration,
                        requests.getExecutionEnvironment().clean(routing),
                        requests.getExecutionEnvironment().clean(form)));
    }

    private static SingleOutputStreamOperator<GenerationResult> generate(
            DataStream<GenerationRequest> requests, GenerationOperatorFactory operator) {
        return requests.transform(
                "generate", CborTypeInformation.forRecord(GenerationResult.class), operator);
    }

    @Override
    public TypeInformation<GenerationResult> getProducedType() {
        return CborTypeInformation.forRecord(GenerationResult.class);
    }

    /**
     * Also notes what the TaskManager has, slots and a local folder: the context that an async
     * function sees hides them.
     */
    @Override
    public void setRuntimeContext(RuntimeContext context) {
        super.setRuntimeContext(context);
        slots = 1;
        localFolder = Optional.empty();
        if (context instanceof StreamingRuntimeContext streaming) {
            TaskManagerRuntimeInfo taskManager = streaming.getTaskManagerRuntimeInfo();
            slots = taskManager.getConfiguration().get(TaskManagerOptions.NUM_TASK_SLOTS);
            localFolder = Stream.of(taskManager.getTmpDirectories()).findFirst().map(Path::of);
        }
    }

    /**
     * Loads the model, or waits while another subtask in this process does; takes seconds, and
     * minutes for a large one. A task that is cancelled meanwhile is interrupted by Flink, and then
     * ends soon.
     *
     * @throws java.io.IOException if the checkpoint is missing or cannot be served
     */
    @Override
    public void open(OpenContext context) throws Exception {
        SharedEngine.cleanUpAfter(getRuntimeContext());
        inFlight =
                new InFlight(
                        configuration.outputOrder() == OutputMode.ORDERED,
                        configuration.capacityMemory(slots));
        next = Restored.NOTHING;
        notes = RequestNotes.open(localFolder);
        long start = System.nanoTime();
        opened =
                ConfiguredEngine.open(
                        configuration,
                        getRuntimeContext().getUserCodeClassLoader(),
                        slots,
                        new LoadLog(configuration.model().modelName()));
        Duration loadTime = Duration.ofNanos(System.nanoTime() - start);
        firstRecipe = firstRecipe();
        recipe = firstRecipe + opened.checkpoint().tokenizerFingerprint();
        chatFormat = ChatFormat.of(opened.checkpoint()).fingerprint();
        ModelConfig model = opened.checkpoint().config();
        memory =
                new RequestMemory(
                        model.maxPositionEmbeddings(),
                        opened.settings()
                                .defaults()
                                .maxTokens()
                                .orElse(
                                        model.defaultMaxNewTokens()
                                                .orElse(EngineSettings.DEFAULT_MAX_TOKENS)));
        metrics =
                new GenerationMetrics(
                        getRuntimeContext().getMetricGroup(),
                        opened.engine()::writtenTokens,
                        opened.engine()::status,
                        loadTime);
        metrics.showInFlightBytes(inFlight::bytes);
    }

    /** What a text follows from beside the request and the tokenizer. */
    private String firstRecipe() throws IOException {
        EngineSettings settings = opened.settings();
        GenerationParameters defaults = settings.defaults();
        return List.of(
                        opened.checkpoint().fingerprint(),
                        configuration.splitSpecialTokens(),
                        settings.arithmetic(),
                        defaults.maxTokens(),
                        defaults.temperature().orElseThrow(),
                        defaults.topK().orElseThrow(),
                        defaults.topP().orElseThrow())
                .toString();
    }

    private String key(String recipe, GenerationRequest request) {
        Sha256 key =
                new Sha256()
                        .update(recipe)
                        .update(request.id())
                        .update(request.prompt())
                        .update(request.parameters().toString())
                        .update(request.attachment());
        request.chat().ifPresent(chat -> key.update(chatFormat).update(chat.toString()));
        return key.hex();
    }

    /** Most bytes of the heap that a request takes while it is in flight. */
    long bytes(GenerationRequest request) {
        return memory.of(request);
    }

    /** Whether a request of this size may be handed over now, beside those in flight. */
    boolean hasRoomFor(long bytes) {
        return inFlight.hasRoomFor(bytes);
    }

    /** Takes what a checkpoint of an earlier version has of requests; before it is opened. */
    void restore(Iterable<SavedGeneration> generations) {
        restoredByKey = new HashMap<>();
        generations.forEach(saved -> restoredByKey.put(saved.key(), saved));
    }

    /** The next request goes on from here, if the same text follows. */
    void resumeNext(SavedGeneration generation) {
        next = new Restored(Optional.of(generation), next.refusal());
    }

    /** The next request ends as this failure. */
    void refuseNext(GenerationFailure refusal) {
        next = new Restored(next.generation(), Optional.of(refusal));
    }

    /** Forgets what nobody has asked for: all requests of the checkpoint have been handed over. */
    void restoredAll() {
        restoredByKey = null;
    }

    /** How far the requests in flight have come; waits for none of them. */
    Map<GenerationRequest, SavedGeneration> save() {
        return inFlight.save();
    }

    @Override
    public void asyncInvoke(GenerationRequest request, ResultFuture<GenerationResult> future) {
        Restored restored = next;
        next = Restored.NOTHING;
        String key = key(recipe, request);
        Optional<SavedGeneration> saved =
                restored.generation()
                        .or(() -> restoredBefore(request, key))
                        .filter(generation -> isOf(generation, request, key));
        metrics.countPrompt(saved.map(SavedGeneration::tokens).orElse(0));
        boolean startsOver = restored.generation().isPresent() && saved.isEmpty();
        if (startsOver && restored.refusal().isEmpty()) {
            metrics.countRestart();
        }
        Generation generation =
                restored.refusal()
                        .map(r -> Generation.ended(GenerationResult.failed(request, r)))
                        .orElseGet(() -> start(request, key, saved));
        inFlight.add(future, request, key, bytes(request), generation);
        generation.result().whenComplete((result, error) -> complete(future, result, error));
    }

    private Optional<SavedGeneration> restoredBefore(GenerationRequest request, String key) {
        if (restoredByKey == null) {
            return Optional.empty();
        }
        return Optional.ofNullable(restoredByKey.remove(key))
                .or(() -> Optional.ofNullable(restoredByKey.remove(key(firstRecipe, request))));
    }

    private boolean isOf(SavedGeneration saved, GenerationRequest request, String key) {
        return saved.version() == SavedGeneration.VERSION
                && (saved.key().equals(key) || saved.key().equals(key(firstRecipe, request)));
    }

    private Generation start(
            GenerationRequest request, String key, Optional<SavedGeneration> saved) {
        Optional<GenerationResult> ended =
                saved.flatMap(SavedGeneration::result)
                        .map(result -> result.withAttachment(request.attachment()))
                        .or(() -> notes.verdict(key).map(f -> GenerationResult.failed(request, f)));
        return ended.map(Generation::ended)
                .orElseGet(
                        () ->
                                opened.engine()
                                        .submit(
                                                request,
                                                saved.map(SavedGeneration::progress)
                                                        .orElse(GenerationProgress.NONE),
                                                notes.watch(key)));
    }

    private void complete(
            ResultFuture<GenerationResult> future, GenerationResult result, Throwable error) {
        if (error != null) {
            notes.failed(error);
        }
        if (error == null) {
            // On the task's thread, together with what the operator does with the result.
            future.complete(
                    () -> {
                        inFlight.answered(future);
                        metrics.countResult(result);
                        return List.of(result);
                    });
        } else if (!closed) {
            // The engine broke. Closing it also ends what runs, but then nobody waits any more.
            future.completeExceptionally(error);
        }
    }

    /**
     * Ends the generation of a request that took too long; its result, with the failure and what
     * was written so far, follows from one of the engine's threads.
     */
    @Override
    public void timeout(GenerationRequest request, ResultFuture<GenerationResult> future) {
        // None if its result came at the same time; that one stands then.
        inFlight.generation(future)
                .ifPresent(
                        generation ->
                                generation.abort(
                                        new GenerationFailure(
                                                GenerationFailure.Kind.TIMEOUT,
                                                "not done within %s of %s ms"
                                                        .formatted(
                                                                LayerSkipOptions.REQUEST_TIMEOUT
                                                                        .key(),
                                                                configuration
                                                                        .requestTimeout()
                                                                        .toMillis()))));
    }

    /** Ends what runs and frees the model; also after an open that failed. Idempotent. */
    @Override
    public void close() throws Exception {
        closed = true;
        try {
            IOUtils.closeAll(opened, notes);
        } finally {
            NativeHeap.trim();
        }
    }
}
