package io.layerskip.flink;

import static org.apache.flink.util.Preconditions.checkState;

import io.layerskip.engine.GenerationRequest;
import io.layerskip.engine.GenerationResult;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.functions.Partitioner;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.OperatorStateStore;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.streaming.api.functions.async.AsyncFunction;
import org.apache.flink.streaming.api.operators.StreamOperatorParameters;
import org.apache.flink.streaming.api.operators.async.AsyncWaitOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamElement;
import org.apache.flink.streaming.runtime.streamrecord.StreamElementSerializer;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;
import org.apache.flink.streaming.util.retryable.AsyncRetryStrategies;

/**
 * Flink's async operator, except that what is in flight can follow the stream to another subtask.
 *
 * <p>Flink deals it out round robin when the parallelism changes: of two requests that stood in one
 * queue, the later may then overtake the earlier, and so may one that is new. With routing, a
 * checkpoint keeps it in union list state instead. Every subtask reads all of it and takes back, in
 * its order, what the stream would hand to this subtask now. It is in the queue before anything new
 * comes, since an operator opens before those in front of it.
 *
 * <p>Both states are read in either case, so that a job may change from one to the other.
 */
final class GenerationOperator extends AsyncWaitOperator<GenerationRequest, GenerationResult> {

    private static final long serialVersionUID = 1;

    /** The state that the class above fills and replays. */
    private static final String DEALT_OUT = "_async_wait_operator_state_";

    /** Names the state in savepoints; it stays. */
    private static final String ROUTED = "routed-requests";

    private final Partitioner<GenerationRequest> routing;
    private final boolean routes;

    private transient ListState<StreamElement> dealtOut;
    private transient ListState<StreamElement> routed;

    /**
     * @param routing which subtask, of so many, a request that was routed goes to
     * @param routes whether checkpoints keep requests to be routed, and not to be dealt out
     */
    @SuppressWarnings("unchecked") // Flink's strategy is of a raw type.
    GenerationOperator(
            StreamOperatorParameters<GenerationResult> parameters,
            AsyncFunction<GenerationRequest, GenerationResult> function,
            LayerSkipConfiguration configuration,
            Partitioner<GenerationRequest> routing,
            boolean routes,
            ProcessingTimeService processingTimeService,
            MailboxExecutor mailboxExecutor) {
        super(
                parameters,
                function,
                configuration.requestTimeout().toMillis(),
                configuration.capacity(),
                configuration.outputOrder(),
                AsyncRetryStrategies.NO_RETRY_STRATEGY,
                processingTimeService,
                mailboxExecutor);
        this.routing = routing;
        this.routes = routes;
    }

    @Override
    public void initializeState(StateInitializationContext context) throws Exception {
        super.initializeState(context);
        OperatorStateStore store = context.getOperatorStateStore();
        dealtOut = store.getListState(descriptor(DEALT_OUT));
        routed = store.getUnionListState(descriptor(ROUTED));
        int thisSubtask = getRuntimeContext().getTaskInfo().getIndexOfThisSubtask();
        for (StreamElement element : routed.get()) {
            if (subtask(element.<GenerationRequest>asRecord().getValue()) == thisSubtask) {
                dealtOut.add(element);
            }
        }
        routed.clear();
    }

    private int subtask(GenerationRequest request) {
        int parallelism = getRuntimeContext().getTaskInfo().getNumberOfParallelSubtasks();
        int subtask = routing.partition(request, parallelism);
        // No subtask would take the request back.
        checkState(
                subtask >= 0 && subtask < parallelism,
                "request %s is routed to subtask %s of %s",
                request.id(),
                subtask,
                parallelism);
        return subtask;
    }

    private ListStateDescriptor<StreamElement> descriptor(String name) {
        return new ListStateDescriptor<>(
                name,
                new StreamElementSerializer<>(
                        getOperatorConfig()
                                .<GenerationRequest>getTypeSerializerIn(
                                        0, getUserCodeClassloader())));
    }

    @Override
    public void snapshotState(StateSnapshotContext context) throws Exception {
        super.snapshotState(context);
        if (routes) {
            routed.update(records(dealtOut.get()));
            dealtOut.clear();
        }
    }

    /** Leaves watermarks out: they belong to no request, and come again after a restart. */
    private static List<StreamElement> records(Iterable<StreamElement> elements) {
        List<StreamElement> records = new ArrayList<>();
        for (StreamElement element : elements) {
            if (element.isRecord()) {
                records.add(element);
            }
        }
        return records;
    }
}
