package io.layerskip.flink;

import static org.assertj.core.api.Assertions.assertThat;

import io.layerskip.engine.GenerationParameters;
import io.layerskip.engine.GenerationRequest;
import io.layerskip.engine.GenerationResult;
import io.layerskip.model.BundledModel;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.api.datastream.AsyncDataStream.OutputMode;
import org.apache.flink.streaming.util.AbstractStreamOperatorTestHarness;
import org.apache.flink.util.IOUtils;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is in flight when the parallelism changes, and what comes after it. */
@SuppressWarnings("try") // The harness declares that close() throws any exception.
final class OrderTest {

    private static final int KEYS = 3;
    private static final int CAPACITY = 8;

    private enum Way {
        ROUTED,
        DEALT_OUT,
        UNORDERED
    }

    @Test
    void everyKeysResultsLeaveInTheOrderOfItsRequestsInWhateverParallelism() throws Exception {
        try (Job job = new Job()) {
            // Of four subtasks, one has no key.
            for (int parallelism : List.of(1, 4, 2)) {
                job.start(Way.ROUTED, parallelism);
                job.send(4 * KEYS);
                job.stop();
                assertThat(job.left).as("left so far").hasSizeLessThan(job.sent.size());
            }
            job.start(Way.ROUTED, 1);
            job.finish();

            assertThat(job.left).hasSameSizeAs(job.sent);
            for (int key = 0; key < KEYS; key++) {
                assertThat(ofKey(key, job.left)).isEqualTo(ofKey(key, job.sent));
            }
        }
    }

    @ParameterizedTest
    @CsvSource({
        "ROUTED, DEALT_OUT",
        "ROUTED, UNORDERED",
        "DEALT_OUT, ROUTED",
        "UNORDERED, ROUTED",
    })
    void aJobMayChangeTheWayThatItKeepsWhatIsInFlight(Way before, Way after) throws Exception {
        try (Job job = new Job()) {
            job.start(before, 1);
            job.send(CAPACITY);
            job.stop();
            job.start(after, 2);
            job.stop();
            job.start(after, 1);
            job.finish();

            assertThat(job.left).containsExactlyInAnyOrderElementsOf(job.sent);
        }
    }

    private static List<String> ofKey(int key, List<String> ids) {
        return ids.stream().filter(id -> id.startsWith(key + "-")).toList();
    }

    private static int subtask(GenerationRequest request, int parallelism) {
        return Integer.parseInt(request.id().substring(0, request.id().indexOf('-'))) % parallelism;
    }

    /** Every key has requests for many tokens in front of others for few. */
    private static GenerationRequest request(int number) {
        int ofKey = number / KEYS;
        return new GenerationRequest(
                number % KEYS + "-" + ofKey,
                "banking: Where is my card?\n",
                GenerationParameters.builder()
                        .maxTokens(ofKey % 2 == 0 ? 100 : 1)
                        .ignoreEos(true)
                        .build());
    }

    private static GenerationOperatorFactory operator(Way way) {
        LayerSkipConfiguration configuration =
                LayerSkipConfiguration.from(
                        new Configuration()
                                .set(LayerSkipOptions.MODEL_PATH, BundledModel.folder().toString())
                                .set(LayerSkipOptions.NUM_ASSISTANT_TOKENS, "0")
                                .set(LayerSkipOptions.CAPACITY, CAPACITY)
                                .set(
                                        LayerSkipOptions.OUTPUT_ORDER,
                                        way == Way.UNORDERED
                                                ? OutputMode.UNORDERED
                                                : OutputMode.ORDERED));
        return way == Way.DEALT_OUT
                ? GenerationOperatorFactory.dealingOut(configuration)
                : GenerationOperatorFactory.routing(
                        configuration, OrderTest::subtask, CheckpointedForm.WHOLE);
    }

    /** The subtasks of the operator, and what went in and out. */
    private static final class Job implements AutoCloseable {

        /** The ids of the requests, in their order. */
        private final List<String> sent = new ArrayList<>();

        /** The ids of the results, in their order. */
        private final List<String> left = new ArrayList<>();

        private final List<Subtask> subtasks = new ArrayList<>();
        private OperatorSubtaskState state = OperatorSubtaskState.builder().build();

        void start(Way way, int parallelism) throws Exception {
            int before = subtasks.size();
            subtasks.clear();
            for (int i = 0; i < parallelism; i++) {
                OperatorSubtaskState part =
                        AbstractStreamOperatorTestHarness.repartitionOperatorState(
                                state, Subtask.MAX_PARALLELISM, before, parallelism, i);
                subtasks.add(Subtask.restore(operator(way), part, parallelism, i));
            }
        }

        void send(int requests) throws Exception {
            for (int i = 0; i < requests; i++) {
                GenerationRequest request = request(sent.size());
                subtasks.get(subtask(request, subtasks.size())).process(request);
                sent.add(request.id());
            }
        }

        /** Takes a savepoint; what is in flight stays in it. */
        void stop() throws Exception {
            List<OperatorSubtaskState> states = new ArrayList<>();
            for (Subtask subtask : subtasks) {
                states.add(subtask.checkpoint());
                subtask.results().stream().map(GenerationResult::id).forEach(left::add);
            }
            state =
                    AbstractStreamOperatorTestHarness.repackageState(
                            states.toArray(OperatorSubtaskState[]::new));
            close();
        }

        void finish() throws Exception {
            for (Subtask subtask : subtasks) {
                subtask.finish().stream().map(GenerationResult::id).forEach(left::add);
            }
        }

        @Override
        public void close() throws Exception {
            IOUtils.closeAll(subtasks);
        }
    }
}
