package io.layerskip.flink;

import io.layerskip.engine.Generation;
import io.layerskip.engine.GenerationEngine;
import io.layerskip.engine.GenerationFailure;
import io.layerskip.engine.GenerationRequest;
import io.layerskip.engine.GenerationResult;
import io.layerskip.model.Checkpoint;
import io.layerskip.model.ModelFolder;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.typeutils.ResultTypeQueryable;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.streaming.api.datastream.AsyncDataStream;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.functions.async.ResultFuture;
import org.apache.flink.streaming.api.functions.async.RichAsyncFunction;
import org.apache.flink.streaming.api.operators.StreamingRuntimeContext;
import org.apache.flink.util.IOUtils;

/**
 * Completes prompts with one model per subtask.
 *
 * <pre>{@code
 * DataStream<GenerationResult> results =
 *         LayerSkipAsyncFunction.generate(requests, LayerSkipConfiguration.from(options))
 *                 .uid("layerskip");
 * }</pre>
 *
 * <p>Every request gives exactly one result: one that fails or takes too long becomes a result that
 * carries its failure. Only a broken engine fails the task; after a restart the operator submits
 * again what was in flight at the last checkpoint.
 */
@PublicEvolving
public final class LayerSkipAsyncFunction
        extends RichAsyncFunction<GenerationRequest, GenerationResult>
        implements ResultTypeQueryable<GenerationResult> {

    private static final long serialVersionUID = 1;

    private final LayerSkipConfiguration configuration;

    private transient int slots;
    private transient ModelFolder folder;
    private transient Checkpoint checkpoint;
    private transient GenerationEngine engine;
    private transient GenerationMetrics metrics;
    private transient Map<ResultFuture<GenerationResult>, Generation> inFlight;
    private transient volatile boolean closed;

    public LayerSkipAsyncFunction(LayerSkipConfiguration configuration) {
        this.configuration = configuration;
    }

    /** Completes the requests of a stream, with the configured capacity, timeout and order. */
    public static SingleOutputStreamOperator<GenerationResult> generate(
            DataStream<GenerationRequest> requests, LayerSkipConfiguration configuration) {
        LayerSkipAsyncFunction function = new LayerSkipAsyncFunction(configuration);
        long timeout = configuration.requestTimeout().toMillis();
        int capacity = configuration.capacity();
        return switch (configuration.outputOrder()) {
            case ORDERED ->
                    AsyncDataStream.orderedWait(
                            requests, function, timeout, TimeUnit.MILLISECONDS, capacity);
            case UNORDERED ->
                    AsyncDataStream.unorderedWait(
                            requests, function, timeout, TimeUnit.MILLISECONDS, capacity);
        };
    }

    @Override
    public TypeInformation<GenerationResult> getProducedType() {
        return CborTypeInformation.forRecord(GenerationResult.class);
    }

    /** Also notes the TaskManager's slots: the context that an async function sees hides them. */
    @Override
    public void setRuntimeContext(RuntimeContext context) {
        super.setRuntimeContext(context);
        slots =
                context instanceof StreamingRuntimeContext streaming
                        ? streaming
                                .getTaskManagerRuntimeInfo()
                                .getConfiguration()
                                .get(TaskManagerOptions.NUM_TASK_SLOTS)
                        : 1;
    }

    /**
     * Loads the model; takes seconds.
     *
     * @throws java.io.IOException if the checkpoint is missing or cannot be served
     */
    @Override
    public void open(OpenContext context) throws Exception {
        inFlight = new ConcurrentHashMap<>();
        metrics = new GenerationMetrics(getRuntimeContext().getMetricGroup(), inFlight::size);
        folder = configuration.model().open(getRuntimeContext().getUserCodeClassLoader());
        checkpoint = Checkpoint.open(folder.path());
        engine = GenerationEngine.open(checkpoint, configuration.toEngineSettings(slots));
    }

    @Override
    public void asyncInvoke(GenerationRequest request, ResultFuture<GenerationResult> future) {
        metrics.countPrompt();
        Generation generation = engine.submit(request);
        inFlight.put(future, generation);
        generation.result().whenComplete((result, error) -> complete(future, result, error));
    }

    private void complete(
            ResultFuture<GenerationResult> future, GenerationResult result, Throwable error) {
        inFlight.remove(future);
        if (error == null) {
            metrics.countResult(result);
            future.complete(List.of(result));
        } else if (!closed) {
            // The engine broke. Closing it also ends what runs, but then nobody waits any more.
            future.completeExceptionally(error);
        }
    }

    /**
     * Ends the generation of a request that took too long; its result, with the failure and what
     * was written so far, follows from the engine's thread.
     */
    @Override
    public void timeout(GenerationRequest request, ResultFuture<GenerationResult> future) {
        Generation generation = inFlight.get(future);
        // None if its result came at the same time; that one stands then.
        if (generation != null) {
            generation.abort(
                    new GenerationFailure(
                            GenerationFailure.Kind.TIMEOUT,
                            "not done within %s of %s ms"
                                    .formatted(
                                            LayerSkipOptions.REQUEST_TIMEOUT.key(),
                                            configuration.requestTimeout().toMillis())));
        }
    }

    /** Ends what runs and frees the model; also after an open that failed. Idempotent. */
    @Override
    public void close() throws Exception {
        closed = true;
        IOUtils.closeAll(engine, checkpoint, folder);
    }
}
