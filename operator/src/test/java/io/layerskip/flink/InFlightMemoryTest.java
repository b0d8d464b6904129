package io.layerskip.flink;

import static org.assertj.core.api.Assertions.assertThat;

import io.layerskip.engine.GenerationParameters;
import io.layerskip.engine.GenerationRequest;
import io.layerskip.engine.GenerationResult;
import io.layerskip.forward.OtherJvm;
import io.layerskip.model.BundledModel;
import java.lang.ref.WeakReference;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.api.common.functions.Partitioner;
import org.apache.flink.api.common.state.CheckpointListener;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.api.datastream.AsyncDataStream.OutputMode;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.streaming.util.AbstractStreamOperatorTestHarness;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What requests in flight take of the heap. */
@SuppressWarnings("try") // The harness declares that close() throws any exception.
final class InFlightMemoryTest {

    private static final String PROMPT = "banking: Where is my card?\n";
    private static final int MB = 1 << 20;

    @ParameterizedTest
    @EnumSource(OutputMode.class)
    void takesInNoMoreRequestsThanTheirMemoryAllows(OutputMode order) throws Exception {
        List<String> ids = new ArrayList<>();
        int most = 0;
        try (Subtask subtask = Subtask.start(operator(order, MemorySize.ofMebiBytes(1)))) {
            for (int i = 0; i < 12; i++) {
                ids.add(Integer.toString(i));
                subtask.process(request(Integer.toString(i), 300 * 1024, 20));
                assertThat((long) subtask.gauge("inFlightBytes")).isLessThanOrEqualTo(MB);
                most = Math.max(most, (int) subtask.gauge("inFlight"));
            }
            List<GenerationResult> results = subtask.finish();

            assertThat(most).isEqualTo(3);
            assertThat(results)
                    .allSatisfy(result -> assertThat(result.tokenIds()).hasSize(20))
                    .extracting(GenerationResult::id)
                    .containsExactlyInAnyOrderElementsOf(ids);
            if (order == OutputMode.ORDERED) {
                assertThat(results).extracting(GenerationResult::id).isEqualTo(ids);
            }
            assertThat((long) subtask.gauge("inFlightBytes")).isZero();
        }
    }

    @ParameterizedTest
    @EnumSource(OutputMode.class)
    void takesARequestAloneThatIsLargerThanAllTheRoom(OutputMode order) throws Exception {
        try (Subtask subtask = Subtask.start(operator(order, MemorySize.ofMebiBytes(1)))) {
            subtask.process(request("before", 10, 50));
            subtask.process(request("large", 3 * MB, 50));
            assertThat(subtask.gauge("inFlight")).isEqualTo(1);
            subtask.process(request("after", 10, 50));
            assertThat(subtask.gauge("inFlight")).isEqualTo(1);

            assertThat(subtask.finish())
                    .extracting(GenerationResult::id)
                    .containsExactly("before", "large", "after");
        }
    }

    @Test
    void takesInWhatACheckpointHasBitByBit() throws Exception {
        OperatorSubtaskState state;
        try (Subtask subtask =
                Subtask.start(operator(OutputMode.ORDERED, MemorySize.ofMebiBytes(64)))) {
            for (int i = 0; i < 8; i++) {
                subtask.process(request(Integer.toString(i), 300 * 1024, 20));
            }
            state = subtask.checkpoint();
        }

        try (Subtask subtask =
                Subtask.restore(
                        operator(OutputMode.ORDERED, MemorySize.ofMebiBytes(1)), state, 1, 0)) {
            assertThat((long) subtask.gauge("inFlightBytes")).isLessThanOrEqualTo(MB);
            assertThat(subtask.finish())
                    .extracting(GenerationResult::id)
                    .containsExactly("0", "1", "2", "3", "4", "5", "6", "7");
        }
    }

    /**
     * Behind one that takes its time, they wait in order: together 128 MB, in a heap of as much
     * that Flink needs half of. A job in a cluster, as the harness holds on to what has left.
     */
    @Test
    @Timeout(300)
    void sixtyFourPromptsOfAMegabyteFitASmallHeap(@TempDir Path checkpoints) throws Exception {
        Process process =
                OtherJvm.start(
                        List.of("-Xmx128m", "-XX:MaxDirectMemorySize=512m"),
                        LargePrompts.class,
                        checkpoints);
        List<String> lines = OtherJvm.lines(process);

        assertThat(process.waitFor(4, TimeUnit.MINUTES)).isTrue();
        assertThat(process.exitValue()).isZero();
        assertThat(lines).last().isEqualTo("65 results, checkpoints: true");
    }

    static final class LargePrompts {

        private static final AtomicLong RESULTS = new AtomicLong();
        private static final AtomicLong CHECKPOINTS = new AtomicLong();

        private LargePrompts() {}

        public static void main(String[] arguments) throws Exception {
            StreamExecutionEnvironment flink =
                    StreamExecutionEnvironment.getExecutionEnvironment(
                            new Configuration()
                                    .set(
                                            CheckpointingOptions.CHECKPOINTING_INTERVAL,
                                            Duration.ofMillis(100))
                                    .set(CheckpointingOptions.CHECKPOINT_STORAGE, "filesystem")
                                    .set(
                                            CheckpointingOptions.CHECKPOINTS_DIRECTORY,
                                            Path.of(arguments[0]).toUri().toString())
                                    .set(RestartStrategyOptions.RESTART_STRATEGY, "none"));
            flink.setParallelism(1);
            LayerSkipConfiguration configuration =
                    LayerSkipConfiguration.from(
                            new Configuration()
                                    .set(
                                            LayerSkipOptions.MODEL_PATH,
                                            BundledModel.folder().toString())
                                    .set(LayerSkipOptions.OUTPUT_ORDER, OutputMode.ORDERED));
            DataStream<GenerationRequest> requests =
                    flink.fromSequence(0, 64)
                            .map(LargePrompts::request)
                            .returns(CborTypeInformation.forRecord(GenerationRequest.class));
            LayerSkipAsyncFunction.generate(requests, configuration, (request, subtasks) -> 0)
                    .map(new Count())
                    .sinkTo(new DiscardingSink<>());
            flink.execute();
            System.out.println(RESULTS + " results, checkpoints: " + (CHECKPOINTS.get() > 0));
        }

        private static GenerationRequest request(long number) {
            return number == 0
                    ? InFlightMemoryTest.request("slow", 10, 450)
                    : new GenerationRequest(
                            Long.toString(number),
                            "x".repeat(MB),
                            GenerationParameters.DEFAULTS,
                            new byte[MB]);
        }

        private static final class Count
                implements MapFunction<GenerationResult, String>, CheckpointListener {

            private static final long serialVersionUID = 1;

            @Override
            public String map(GenerationResult result) {
                RESULTS.incrementAndGet();
                return result.id();
            }

            @Override
            public void notifyCheckpointComplete(long checkpoint) {
                if (RESULTS.get() < 65) {
                    CHECKPOINTS.incrementAndGet();
                }
            }
        }
    }

    @Test
    void aSubtaskReadsTheRequestsOfOthersOneByOneAndForgetsThem() throws Exception {
        OperatorSubtaskState state;
        try (Subtask subtask = Subtask.start(operator(OutputMode.ORDERED, Watched.ROUTING))) {
            for (int i = 0; i < 24; i++) {
                subtask.process(request(Integer.toString(i), 1024, 100));
            }
            state = subtask.checkpoint();
        }
        OperatorSubtaskState part =
                AbstractStreamOperatorTestHarness.repartitionOperatorState(
                        state, Subtask.MAX_PARALLELISM, 1, 8, 3);

        Watched.REQUESTS.clear();
        try (Subtask subtask =
                Subtask.restore(operator(OutputMode.ORDERED, Watched.ROUTING), part, 8, 3)) {
            assertThat(Watched.REQUESTS).hasSizeGreaterThanOrEqualTo(24);
            assertThat(Watched.mostOfOthers).isLessThanOrEqualTo(1);
            assertThat(subtask.finish())
                    .extracting(GenerationResult::id)
                    .containsExactly("3", "11", "19");
        }
    }

    /** Looks how many requests of others there are when it is asked about one. */
    private static final class Watched implements Partitioner<GenerationRequest> {

        private static final long serialVersionUID = 1;

        private static final Watched ROUTING = new Watched();
        private static final List<WeakReference<GenerationRequest>> REQUESTS = new ArrayList<>();
        private static int mostOfOthers;

        @Override
        public int partition(GenerationRequest request, int subtasks) {
            if (subtasks == 1) {
                return 0;
            }
            REQUESTS.add(new WeakReference<>(request));
            System.gc();
            int others = 0;
            for (WeakReference<GenerationRequest> reference : REQUESTS) {
                GenerationRequest seen = reference.get();
                others += seen != null && subtask(seen, subtasks) != 3 ? 1 : 0;
            }
            mostOfOthers = Math.max(mostOfOthers, others);
            return subtask(request, subtasks);
        }

        private static int subtask(GenerationRequest request, int subtasks) {
            return Integer.parseInt(request.id()) % subtasks;
        }
    }

    @ParameterizedTest
    @EnumSource(OutputMode.class)
    void theStateHoldsNoRequestsBetweenCheckpoints(OutputMode order) throws Exception {
        try (Subtask subtask = Subtask.start(operator(order, MemorySize.ofMebiBytes(64)))) {
            subtask.process(request("1", 1024, 20));
            assertThat(SavedState.requests(subtask.checkpoint())).hasSize(1);
            assertThat(subtask.requestsInState()).isEqualTo(1);
            subtask.finish(); // Works on the mails that there are.

            assertThat(subtask.requestsInState()).isZero();
        }
    }

    private static GenerationOperatorFactory operator(OutputMode order, MemorySize memory) {
        return operator(
                new Configuration()
                        .set(LayerSkipOptions.OUTPUT_ORDER, order)
                        .set(LayerSkipOptions.CAPACITY_MEMORY, memory),
                (request, subtasks) -> 0);
    }

    private static GenerationOperatorFactory operator(
            OutputMode order, Partitioner<GenerationRequest> routing) {
        return operator(new Configuration().set(LayerSkipOptions.OUTPUT_ORDER, order), routing);
    }

    private static GenerationOperatorFactory operator(
            Configuration changes, Partitioner<GenerationRequest> routing) {
        Configuration options =
                new Configuration()
                        .set(LayerSkipOptions.MODEL_PATH, BundledModel.folder().toString())
                        .set(LayerSkipOptions.NUM_ASSISTANT_TOKENS, "0");
        options.addAll(changes);
        return GenerationOperatorFactory.routing(
                LayerSkipConfiguration.from(options), routing, CheckpointedForm.WHOLE);
    }

    private static GenerationRequest request(String id, int attachment, int tokens) {
        GenerationParameters parameters =
                GenerationParameters.builder().maxTokens(tokens).ignoreEos(true).build();
        return new GenerationRequest(id, PROMPT, parameters, new byte[attachment]);
    }
}
