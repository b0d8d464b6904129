package io.layerskip.flink;

import io.layerskip.engine.GenerationRequest;
import io.layerskip.engine.GenerationResult;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.JobID;
import org.apache.flink.api.common.serialization.SerializerConfigImpl;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.Metric;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.clusterframework.types.ResourceID;
import org.apache.flink.runtime.executiongraph.ExecutionAttemptID;
import org.apache.flink.runtime.metrics.groups.TaskManagerMetricGroup;
import org.apache.flink.runtime.metrics.groups.TaskMetricGroup;
import org.apache.flink.runtime.metrics.util.TestingMetricRegistry;
import org.apache.flink.runtime.operators.testutils.MockEnvironmentBuilder;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;

/**
 * A subtask of the operator with the function, and its counters. It hands out no result but to make
 * room for a further request, or when it is asked to finish.
 */
@SuppressWarnings("try") // The harness declares that close() throws any exception.
final class Subtask implements AutoCloseable {

    static final int MAX_PARALLELISM = 128;

    private final OneInputStreamOperatorTestHarness<GenerationRequest, GenerationResult> harness;
    private final Map<String, Metric> metrics = new HashMap<>();
    private long checkpoints;

    private Subtask(GenerationOperatorFactory operator, int parallelism, int index)
            throws Exception {
        harness =
                new OneInputStreamOperatorTestHarness<>(
                        operator,
                        CborTypeInformation.forRecord(GenerationRequest.class)
                                .createSerializer(new SerializerConfigImpl()),
                        new MockEnvironmentBuilder()
                                .setMaxParallelism(MAX_PARALLELISM)
                                .setParallelism(parallelism)
                                .setSubtaskIndex(index)
                                .setMetricGroup(metricGroup())
                                .build());
    }

    private TaskMetricGroup metricGroup() {
        return TaskManagerMetricGroup.createTaskManagerMetricGroup(
                        TestingMetricRegistry.builder()
                                .setRegisterConsumer(
                                        (metric, name, group) -> metrics.put(name, metric))
                                .build(),
                        "localhost",
                        ResourceID.generate())
                .addJob(new JobID(), "job")
                .addTask(ExecutionAttemptID.randomId(), "task");
    }

    static Subtask start(GenerationOperatorFactory operator) throws Exception {
        Subtask subtask = new Subtask(operator, 1, 0);
        subtask.harness.open();
        return subtask;
    }

    static Subtask restore(
            GenerationOperatorFactory operator,
            OperatorSubtaskState state,
            int parallelism,
            int index)
            throws Exception {
        Subtask subtask = new Subtask(operator, parallelism, index);
        subtask.harness.initializeState(state);
        subtask.harness.open();
        return subtask;
    }

    void process(GenerationRequest request) throws Exception {
        harness.processElement(request, 0);
    }

    OperatorSubtaskState checkpoint() throws Exception {
        return harness.snapshot(++checkpoints, checkpoints);
    }

    /** The results that it has handed out. */
    List<GenerationResult> results() {
        return harness.extractOutputValues();
    }

    /** How many requests the operator's state holds at present. */
    int requestsInState() throws Exception {
        GenerationOperator operator = (GenerationOperator) harness.getOperator();
        return SavedState.count(operator.getOperatorStateBackend());
    }

    /** All results, once the last one is there. */
    List<GenerationResult> finish() throws Exception {
        harness.endInput();
        return results();
    }

    long counter(String name) {
        return ((Counter) metrics.get(name)).getCount();
    }

    Object gauge(String name) {
        return ((Gauge<?>) metrics.get(name)).getValue();
    }

    @Override
    public void close() throws Exception {
        harness.close();
    }
}
