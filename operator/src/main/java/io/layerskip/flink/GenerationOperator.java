package io.layerskip.flink;

import static org.apache.flink.util.Preconditions.checkState;

import io.layerskip.engine.GenerationFailure;
import io.layerskip.engine.GenerationRequest;
import io.layerskip.engine.GenerationResult;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Predicate;
import org.apache.flink.api.common.TaskInfo;
import org.apache.flink.api.common.functions.Partitioner;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.OperatorStateStore;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.streaming.api.operators.StreamOperatorParameters;
import org.apache.flink.streaming.api.operators.async.AsyncWaitOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamElement;
import org.apache.flink.streaming.runtime.streamrecord.StreamElementSerializer;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;
import org.apache.flink.streaming.util.retryable.AsyncRetryStrategies;

/**
 * Flink's async operator, except that it bounds the memory of what is in flight beside the number,
 * and keeps it in checkpoints itself: each request once, in its {@link CheckpointedForm}, together
 * with how far it has come.
 *
 * <p>What is in flight can follow the stream to another subtask. Flink deals list state out round
 * robin when the parallelism changes: of two requests that stood in one queue, the later may then
 * overtake the earlier, and so may one that is new. With routing, a checkpoint keeps them in union
 * list state instead. Every subtask reads all of it and takes back, in its order, what the stream
 * would hand to this subtask now. It is in the queue before anything new comes, since an operator
 * opens before those in front of it.
 *
 * <p>Both states are read in either case, so that a job may change from one to the other; and so
 * are those of earlier versions, which left the requests to Flink's operator.
 */
final class GenerationOperator extends AsyncWaitOperator<GenerationRequest, GenerationResult> {

    private static final long serialVersionUID = 1;

    /** Names of state in savepoints; they stay. */
    private static final String DEALT_OUT = "requests-in-flight";

    private static final String ROUTED = "routed-requests-in-flight";

    /** What the class above fills and replays. */
    private static final String FLINKS = "_async_wait_operator_state_";

    private static final String ROUTED_BEFORE = "routed-requests";
    private static final String GENERATIONS_BEFORE = "generations";

    private final LayerSkipAsyncFunction function;
    private final Partitioner<GenerationRequest> routing;
    private final boolean routes;
    private final CheckpointedForm form;
    private final transient MailboxExecutor mailboxExecutor;
    private final transient Predicate<GenerationRequest> taken;

    private transient ListState<StreamElement> flinks;
    private transient ListState<SavedRequest> dealtOut;
    private transient ListState<SavedRequest> routed;

    /** Those of a checkpoint that this subtask has yet to take in. */
    private transient Queue<SavedRequest> restored;

    /**
     * @param routing which subtask, of so many, a request that was routed goes to
     * @param routes whether checkpoints keep requests to be routed, and not to be dealt out
     * @param form in which checkpoints keep requests
     */
    @SuppressWarnings("unchecked") // Flink's strategy is of a raw type.
    GenerationOperator(
            StreamOperatorParameters<GenerationResult> parameters,
            LayerSkipAsyncFunction function,
            LayerSkipConfiguration configuration,
            Partitioner<GenerationRequest> routing,
            boolean routes,
            CheckpointedForm form,
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
        this.function = function;
        this.routing = routing;
        this.routes = routes;
        this.form = form;
        this.mailboxExecutor = mailboxExecutor;
        TaskInfo task = parameters.getContainingTask().getEnvironment().getTaskInfo();
        this.taken = request -> subtask(request, task) == task.getIndexOfThisSubtask();
        RestoringThread.begin(taken);
    }

    private int subtask(GenerationRequest request, TaskInfo task) {
        int parallelism = task.getNumberOfParallelSubtasks();
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

    @Override
    public void initializeState(StateInitializationContext context) throws Exception {
        RestoringThread.end(taken);
        super.initializeState(context);
        OperatorStateStore store = context.getOperatorStateStore();
        flinks = store.getListState(elements(FLINKS));
        dealtOut = store.getListState(requests(DEALT_OUT, false));
        routed = store.getUnionListState(requests(ROUTED, true));
        restored = new ArrayDeque<>();
        takeElements(flinks, request -> true);
        takeRequests(dealtOut, request -> true);
        takeElements(store.getUnionListState(elements(ROUTED_BEFORE)), taken);
        takeRequests(routed, taken);
        takeGenerations(
                store.getUnionListState(
                        new ListStateDescriptor<>(
                                GENERATIONS_BEFORE, new CborSerializer<>(SavedGeneration.class))));
    }

    /** Leaves watermarks out: they belong to no request, and come again after a restart. */
    private void takeElements(ListState<StreamElement> state, Predicate<GenerationRequest> mine)
            throws Exception {
        for (StreamElement element : state.get()) {
            if (element.isRecord()) {
                StreamRecord<GenerationRequest> record = element.asRecord();
                if (mine.test(record.getValue())) {
                    restored.add(SavedRequest.of(record, Optional.empty()));
                }
            }
        }
        state.clear();
    }

    private void takeRequests(ListState<SavedRequest> state, Predicate<GenerationRequest> mine)
            throws Exception {
        for (SavedRequest saved : state.get()) {
            if (saved != SavedRequest.ELSEWHERE && mine.test(saved.request())) {
                restored.add(saved);
            }
        }
        state.clear();
    }

    /** Whose they are is known only when the model is loaded, which their keys follow from. */
    private void takeGenerations(ListState<SavedGeneration> state) throws Exception {
        if (!restored.isEmpty()) {
            function.restore(state.get());
        }
        state.clear();
    }

    private ListStateDescriptor<SavedRequest> requests(String name, boolean isRouted) {
        return new ListStateDescriptor<>(name, new SavedRequestSerializer(form, isRouted));
    }

    private ListStateDescriptor<StreamElement> elements(String name) {
        return new ListStateDescriptor<>(
                name,
                new StreamElementSerializer<>(
                        getOperatorConfig()
                                .<GenerationRequest>getTypeSerializerIn(
                                        0, getUserCodeClassloader())));
    }

    @Override
    public void open() throws Exception {
        super.open();
        while (!restored.isEmpty()) {
            takeIn(restored.remove());
        }
        function.restoredAll();
    }

    private void takeIn(SavedRequest saved) throws Exception {
        GenerationRequest request;
        try {
            request = form.fromCheckpoint(saved.request());
        } catch (UnreadableRequestException e) {
            request = saved.request();
            function.refuseNext(
                    new GenerationFailure(
                            GenerationFailure.Kind.INVALID_REQUEST,
                            "it was in flight when the job stopped, and is no request to this one: "
                                    + e.getMessage()));
        }
        if (saved.generation().isPresent()) {
            function.resumeNext(saved.generation().get());
        }
        processElement(saved.record(request));
    }

    /**
     * Takes a request in once there is room for it: while it waits, this works on what the engine
     * hands back, as the class above does while its queue is full.
     */
    @Override
    public void processElement(StreamRecord<GenerationRequest> record) throws Exception {
        long bytes = function.bytes(record.getValue());
        while (!function.hasRoomFor(bytes)) {
            mailboxExecutor.yield();
        }
        super.processElement(record);
    }

    @Override
    public void snapshotState(StateSnapshotContext context) throws Exception {
        super.snapshotState(context);
        Map<GenerationRequest, SavedGeneration> generations = function.save();
        List<SavedRequest> saved = new ArrayList<>();
        for (StreamElement element : flinks.get()) {
            if (element.isRecord()) {
                StreamRecord<GenerationRequest> record = element.asRecord();
                saved.add(
                        SavedRequest.of(
                                record, Optional.ofNullable(generations.get(record.getValue()))));
            }
        }
        flinks.clear();
        (routes ? routed : dealtOut).update(saved);
        forgetAfterwards();
    }

    /**
     * The state would hold on to the requests until the next checkpoint; this one has its own list
     * of them by the time that the task turns to its next mail.
     */
    private void forgetAfterwards() {
        try {
            mailboxExecutor.execute(
                    () -> {
                        dealtOut.clear();
                        routed.clear();
                    },
                    "forget what a checkpoint has taken over");
        } catch (RejectedExecutionException e) {
            // The task has ended, and its state ends with it.
        }
    }
}
