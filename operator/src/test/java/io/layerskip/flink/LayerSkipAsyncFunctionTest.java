package io.layerskip.flink;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.layerskip.engine.FinishReason;
import io.layerskip.engine.GenerationFailure;
import io.layerskip.engine.GenerationParameters;
import io.layerskip.engine.GenerationRequest;
import io.layerskip.engine.GenerationResult;
import io.layerskip.model.BundledModel;
import io.layerskip.model.BundledModel.GoldenCase;
import io.layerskip.model.CheckpointException;
import java.io.IOException;
import java.lang.management.BufferPoolMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.management.ObjectName;
import org.apache.flink.api.common.serialization.SerializerConfigImpl;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.api.datastream.AsyncDataStream.OutputMode;
import org.apache.flink.streaming.api.operators.async.AsyncWaitOperatorFactory;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The function in Flink's own async operator, with the bundled model. */
@SuppressWarnings("try") // The harness declares that close() throws any exception.
final class LayerSkipAsyncFunctionTest {

    /** Without effect in a row, after which nothing is left to be freed. */
    private static final int COLLECTIONS = 4;

    private static final String PROMPT = "banking: Where is my card?\n";
    private static final Duration TIMEOUT = Duration.ofMinutes(1);

    @Test
    void completesPromptsAsTheReferenceDoes() throws Exception {
        List<GoldenCase> cases = BundledModel.goldenCases().subList(0, 20);

        try (var harness = harness(OutputMode.ORDERED, bundledModel())) {
            harness.open();
            for (GoldenCase golden : cases) {
                process(harness, request(golden.prompt(), GenerationParameters.DEFAULTS));
            }
            harness.endInput();

            assertThat(harness.extractOutputValues())
                    .extracting(GenerationResult::text)
                    .containsExactlyElementsOf(cases.stream().map(GoldenCase::completion).toList());
        }
    }

    @Test
    void turnsARequestThatTheModelCannotServeIntoAResult() throws Exception {
        try (var harness = harness(OutputMode.UNORDERED, bundledModel())) {
            harness.open();
            process(harness, request("word ".repeat(1_000), GenerationParameters.DEFAULTS));
            harness.endInput();

            assertThat(onlyFailure(harness))
                    .extracting(GenerationFailure::kind)
                    .isEqualTo(GenerationFailure.Kind.PROMPT_TOO_LONG);
        }
    }

    @Test
    void turnsARequestThatTakesTooLongIntoAResult() throws Exception {
        try (var harness = harness(OutputMode.UNORDERED, bundledModel())) {
            harness.open();
            process(harness, longRequest("1"));
            harness.setProcessingTime(TIMEOUT.toMillis() + 1);
            harness.endInput();

            assertThat(onlyFailure(harness))
                    .isEqualTo(
                            new GenerationFailure(
                                    GenerationFailure.Kind.TIMEOUT,
                                    "not done within layerskip.request-timeout of 60000 ms"));
        }
    }

    @Test
    void endsAGenerationThatRunsWhenItIsClosed() throws Exception {
        try (var harness = harness(OutputMode.UNORDERED, bundledModel())) {
            harness.open();
            process(harness, longRequest("1"));
            harness.close();

            assertThat(harness.getEnvironment().getActualExternalFailureCause()).isEmpty();
            assertThat(engineThreads()).isEmpty();
        }
    }

    @Test
    void canBeClosedTwice() throws Exception {
        LayerSkipAsyncFunction function = new LayerSkipAsyncFunction(bundledModel());

        function.close();
        function.close();
    }

    /** Closed under load each time. One set of weights left behind would be 33 MiB. */
    @Test
    @Timeout(600)
    void leavesNothingBehindHoweverOftenItIsOpened() throws Exception {
        long warm = 0;
        for (int i = 0; i < 100; i++) {
            if (i == 20) {
                warm = nativeKib();
            }
            try (var harness = harness(OutputMode.UNORDERED, quicklyOpened())) {
                harness.open();
                process(harness, longRequest("1"));
                process(harness, longRequest("2"));
            }
            assertThat(engineThreads()).isEmpty();
        }

        assertThat(nativeKib() - warm).as("KiB in 80 times").isLessThan(80 * 3 * 1024);
    }

    /** With drafts of a fixed length, no pass is measured first. */
    private static LayerSkipConfiguration quicklyOpened() {
        return LayerSkipConfiguration.from(
                new Configuration()
                        .set(LayerSkipOptions.MODEL_PATH, BundledModel.folder().toString())
                        .set(LayerSkipOptions.NUM_ASSISTANT_TOKENS, "0"));
    }

    /** What is resident without the JVM's heap, once direct buffers are freed and given back. */
    private static long nativeKib() throws IOException {
        Path status = Path.of("/proc/self/status");
        assumeTrue(Files.isReadable(status), "needs Linux");
        collectDirectBuffers();
        NativeHeap.trim();
        String resident =
                Files.readAllLines(status).stream()
                        .filter(line -> line.startsWith("VmRSS:"))
                        .findFirst()
                        .orElseThrow();
        long heap = ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getCommitted();
        return Long.parseLong(resident.replaceAll("[^0-9]", "")) - heap / 1024;
    }

    /** They are freed by a thread of the JVM, some time after the garbage collector found them. */
    private static void collectDirectBuffers() {
        BufferPoolMXBean direct =
                ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class).stream()
                        .filter(pool -> pool.getName().equals("direct"))
                        .findFirst()
                        .orElseThrow();
        // Closed models that other tests still refer to keep theirs.
        int unchanged = 0;
        while (unchanged < COLLECTIONS) {
            long before = direct.getMemoryUsed();
            System.gc();
            unchanged = direct.getMemoryUsed() < before ? 0 : unchanged + 1;
        }
    }

    /** A model that is closed leaves more than 30 MB of free memory to malloc. */
    @Test
    void givesTheMemoryOfItsModelBackToTheSystem() throws Exception {
        try (var harness = harness(OutputMode.UNORDERED, quicklyOpened())) {
            harness.open();
        }

        assertThat(trimmableKib()).isLessThan(8 * 1024);
    }

    /** What malloc could still give back, in KiB. */
    private static long trimmableKib() throws Exception {
        String answer =
                ManagementFactory.getPlatformMBeanServer()
                        .invoke(
                                new ObjectName("com.sun.management:type=DiagnosticCommand"),
                                "systemTrimNativeHeap",
                                new Object[0],
                                new String[0])
                        .toString();
        Matcher change = Pattern.compile("\\(([+-])(\\d+)([BKM])\\)").matcher(answer);
        assumeTrue(change.find(), answer);
        long amount = change.group(1).equals("+") ? 0 : Long.parseLong(change.group(2));
        return switch (change.group(3)) {
            case "B" -> amount / 1024;
            case "K" -> amount;
            default -> amount * 1024;
        };
    }

    @Test
    void freesEverythingAfterAModelThatDoesNotOpen(@TempDir Path nowhere) throws Exception {
        try (var harness = harness(OutputMode.UNORDERED, configuration(nowhere))) {
            assertThatThrownBy(harness::open).isInstanceOf(CheckpointException.class);
        }

        assertThat(engineThreads()).isEmpty();
    }

    @Test
    void answersAgainWhatWasInFlightAtACheckpoint() throws Exception {
        OperatorSubtaskState checkpoint;
        try (var harness = harness(OutputMode.UNORDERED, bundledModel())) {
            harness.open();
            // The harness hands out no result before it is asked to, so both are in flight.
            process(harness, new GenerationRequest("1", PROMPT, GenerationParameters.DEFAULTS));
            process(harness, new GenerationRequest("2", PROMPT, GenerationParameters.DEFAULTS));
            checkpoint = harness.snapshot(1, 1);
        }

        try (var harness = harness(OutputMode.UNORDERED, bundledModel())) {
            harness.initializeState(checkpoint);
            harness.open();
            harness.endInput();

            assertThat(harness.extractOutputValues())
                    .allSatisfy(r -> assertThat(r.finishReason()).isEqualTo(FinishReason.STOP))
                    .extracting(GenerationResult::id)
                    .containsExactlyInAnyOrder("1", "2");
        }
    }

    private static OneInputStreamOperatorTestHarness<GenerationRequest, GenerationResult> harness(
            OutputMode order, LayerSkipConfiguration configuration) throws Exception {
        return new OneInputStreamOperatorTestHarness<>(
                new AsyncWaitOperatorFactory<>(
                        new LayerSkipAsyncFunction(configuration),
                        TIMEOUT.toMillis(),
                        configuration.capacity(),
                        order),
                CborTypeInformation.forRecord(GenerationRequest.class)
                        .createSerializer(new SerializerConfigImpl()));
    }

    private static LayerSkipConfiguration bundledModel() {
        return configuration(BundledModel.folder());
    }

    private static LayerSkipConfiguration configuration(Path model) {
        return LayerSkipConfiguration.from(
                new Configuration()
                        .set(LayerSkipOptions.MODEL_PATH, model.toString())
                        .set(LayerSkipOptions.REQUEST_TIMEOUT, TIMEOUT));
    }

    private static void process(
            OneInputStreamOperatorTestHarness<GenerationRequest, GenerationResult> harness,
            GenerationRequest request)
            throws Exception {
        harness.processElement(request, 0);
    }

    private static GenerationFailure onlyFailure(
            OneInputStreamOperatorTestHarness<GenerationRequest, GenerationResult> harness) {
        assertThat(harness.extractOutputValues()).hasSize(1);
        return harness.extractOutputValues().get(0).failure().orElseThrow();
    }

    private static GenerationRequest request(String prompt, GenerationParameters parameters) {
        return new GenerationRequest("1", prompt, parameters);
    }

    /** A request for 400 tokens, far longer than what the test does meanwhile. */
    private static GenerationRequest longRequest(String id) {
        return new GenerationRequest(
                id,
                PROMPT,
                GenerationParameters.builder()
                        .maxTokens(400)
                        .numAssistantTokens(0)
                        .ignoreEos(true)
                        .build());
    }

    private static List<Thread> engineThreads() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().equals("layerskip-engine"))
                .toList();
    }
}
