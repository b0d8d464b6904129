package io.layerskip.flink;

import io.layerskip.engine.GenerationRequest;
import io.layerskip.engine.GenerationResult;
import org.apache.flink.api.common.functions.Partitioner;
import org.apache.flink.streaming.api.datastream.AsyncDataStream.OutputMode;
import org.apache.flink.streaming.api.operators.StreamOperator;
import org.apache.flink.streaming.api.operators.StreamOperatorParameters;
import org.apache.flink.streaming.api.operators.async.AsyncWaitOperatorFactory;

/** Makes a {@link GenerationOperator} for each subtask. */
final class GenerationOperatorFactory
        extends AsyncWaitOperatorFactory<GenerationRequest, GenerationResult> {

    private static final long serialVersionUID = 1;

    /** For what was left to be routed by a job that knew how. */
    private static final Partitioner<GenerationRequest> BY_ID =
            (request, subtasks) -> Math.floorMod(request.id().hashCode(), subtasks);

    private final LayerSkipAsyncFunction function;
    private final LayerSkipConfiguration configuration;
    private final Partitioner<GenerationRequest> routing;
    private final boolean routes;
    private final CheckpointedForm form;

    private GenerationOperatorFactory(
            LayerSkipAsyncFunction function,
            LayerSkipConfiguration configuration,
            Partitioner<GenerationRequest> routing,
            boolean routes,
            CheckpointedForm form) {
        super(
                function,
                configuration.requestTimeout().toMillis(),
                configuration.capacity(),
                configuration.outputOrder());
        this.function = function;
        this.configuration = configuration;
        this.routing = routing;
        this.routes = routes;
        this.form = form;
    }

    /** A change of parallelism deals out what is in flight. */
    static GenerationOperatorFactory dealingOut(LayerSkipConfiguration configuration) {
        return new GenerationOperatorFactory(
                new LayerSkipAsyncFunction(configuration),
                configuration,
                BY_ID,
                false,
                CheckpointedForm.WHOLE);
    }

    /**
     * What is in flight follows the stream if results leave in order, and is dealt out otherwise.
     *
     * @param routing which subtask, of so many, the stream hands a request to
     * @param form in which checkpoints keep requests
     */
    static GenerationOperatorFactory routing(
            LayerSkipConfiguration configuration,
            Partitioner<GenerationRequest> routing,
            CheckpointedForm form) {
        return new GenerationOperatorFactory(
                new LayerSkipAsyncFunction(configuration),
                configuration,
                routing,
                configuration.outputOrder() == OutputMode.ORDERED,
                form);
    }

    @Override
    @SuppressWarnings("unchecked") // The signature lets the caller choose the type.
    public <T extends StreamOperator<GenerationResult>> T createStreamOperator(
            StreamOperatorParameters<GenerationResult> parameters) {
        return (T)
                new GenerationOperator(
                        parameters,
                        function,
                        configuration,
                        routing,
                        routes,
                        form,
                        processingTimeService,
                        getMailboxExecutor());
    }

    @Override
    @SuppressWarnings("rawtypes")
    public Class<? extends StreamOperator> getStreamOperatorClass(ClassLoader classLoader) {
        return GenerationOperator.class;
    }
}
