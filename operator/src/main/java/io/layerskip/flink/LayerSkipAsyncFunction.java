package io.layerskip.flink;

import io.layerskip.chat.ChatFormat;
import io.layerskip.engine.EngineSettings;
import io.layerskip.engine.Generation;
import io.layerskip.engine.GenerationFailure;
import io.layerskip.engine.GenerationParameters;
import io.layerskip.engine.GenerationProgress;
import io.layerskip.engine.GenerationRequest;
import io.layerskip.engine.GenerationResult;
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
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.typeutils.ResultTypeQueryable;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.runtime.taskmanager.TaskManagerRuntimeInfo;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;
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
 * <p>A checkpoint keeps the requests in flight, which Flink's operator sees to, and how far each
 * has come, in union list state: after a restart, in whatever parallelism, a subtask that is given
 * a request finds its tokens there and goes on after them. The text is the same as if nothing had
 * happened. If the model or a setting that the text follows from is another one by then, the
 * request starts over.
 */
@PublicEvolving
public final class LayerSkipAsyncFunction
        extends RichAsyncFunction<GenerationRequest, GenerationResult>
        implements CheckpointedFunction, ResultTypeQueryable<GenerationResult> {

    private static final long serialVersionUID = 1;

    /** Names the state in savepoints; it stays. */
    private static final String STATE = "generations";

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

    private transient InFlight inFlight;
    private transient ListState<SavedGeneration> state;
    private transient Map<String, SavedGeneration> restored;
    private transient volatile boolean closed;

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
        return generate(
                requests,
                GenerationOperatorFactory.routing(
                        configuration, requests.getExecutionEnvironment().clean(routing)));
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

    /** Reads what all subtasks had under way; who is given which request is known only later. */
    @Override
    public void initializeState(FunctionInitializationContext context) throws Exception {
        state =
                context.getOperatorStateStore()
                        .getUnionListState(
                                new ListStateDescriptor<>(
                                        STATE, new CborSerializer<>(SavedGeneration.class)));
        restored = new HashMap<>();
        for (SavedGeneration saved : state.get()) {
            if (saved.version() == SavedGeneration.VERSION) {
                restored.put(saved.key(), saved);
            }
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
        inFlight = new InFlight(configuration.outputOrder() == OutputMode.ORDERED);
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
        metrics =
                new GenerationMetrics(
                        getRuntimeContext().getMetricGroup(),
                        opened.engine()::writtenTokens,
                        opened.engine()::status,
                        loadTime);
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

    @Override
    public void asyncInvoke(GenerationRequest request, ResultFuture<GenerationResult> future) {
        String key = key(recipe, request);
        Optional<SavedGeneration> saved = takeRestored(request, key);
        metrics.countPrompt(saved.map(SavedGeneration::tokens).orElse(0));
        Generation generation = start(request, key, saved);
        inFlight.add(future, key, generation);
        generation.result().whenComplete((result, error) -> complete(future, result, error));
    }

    private Optional<SavedGeneration> takeRestored(GenerationRequest request, String key) {
        if (restored.isEmpty()) {
            return Optional.empty();
        }
        return Optional.ofNullable(restored.remove(key))
                .or(() -> Optional.ofNullable(restored.remove(key(firstRecipe, request))));
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

    /** Notes how far the requests in flight have come; waits for none of them. */
    @Override
    public void snapshotState(FunctionSnapshotContext context) throws Exception {
        // By the first checkpoint, the operator has submitted again what it restored.
        restored.clear();
        state.update(inFlight.save());
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
