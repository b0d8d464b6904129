package io.layerskip.flink;

import static org.assertj.core.api.Assertions.assertThat;

import io.layerskip.engine.EngineFailedException;
import io.layerskip.engine.GenerationFailure;
import io.layerskip.engine.GenerationParameters;
import io.layerskip.engine.GenerationRequest;
import io.layerskip.engine.GenerationResult;
import io.layerskip.model.BundledModel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.apache.flink.api.common.serialization.SerializerConfigImpl;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.operators.testutils.MockEnvironment;
import org.apache.flink.runtime.operators.testutils.MockEnvironmentBuilder;
import org.apache.flink.runtime.util.TestingTaskManagerRuntimeInfo;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;
import org.apache.flink.util.ExceptionUtils;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Passes that take longer than they may: a pass over a long prompt does, in no time at all. */
@SuppressWarnings("try") // The harness declares that close() throws any exception.
@Timeout(120)
final class HangingPassTest {

    private static final GenerationRequest LONG =
            new GenerationRequest(
                    "long",
                    "banking: " + "I lost my card ".repeat(60) + "\n",
                    GenerationParameters.builder().maxTokens(2).build());

    private static final Duration NO_TIME = Duration.ofMillis(1);

    @TempDir Path local;

    @Test
    void failTheTaskAndAfterThreeOfThemTheRequest() throws Exception {
        for (int i = 0; i < 3; i++) {
            try (MockEnvironment environment = environment();
                    var harness = harness(environment, NO_TIME)) {
                environment.setExpectedExternalFailureCause(Throwable.class);
                harness.open();
                harness.processElement(LONG, 0);
                while (environment.getActualExternalFailureCause().isEmpty()) {
                    Thread.sleep(1);
                }

                assertThat(
                                ExceptionUtils.findThrowable(
                                        environment.getActualExternalFailureCause().get(),
                                        EngineFailedException.class))
                        .hasValueSatisfying(
                                e ->
                                        assertThat(e)
                                                .hasMessage(
                                                        "a pass has taken more than the 1 ms of"
                                                                + " pass-timeout"));
            }
        }

        try (MockEnvironment environment = environment();
                var harness = harness(environment, NO_TIME)) {
            harness.open();
            harness.processElement(LONG, 0);
            harness.endInput();

            assertThat(harness.extractOutputValues())
                    .extracting(result -> result.failure().orElseThrow().kind())
                    .containsExactly(GenerationFailure.Kind.POISON_REQUEST);
        }
    }

    @Test
    void areNoneWithTheDefault() throws Exception {
        try (MockEnvironment environment = environment();
                var harness = harness(environment, LayerSkipOptions.PASS_TIMEOUT.defaultValue())) {
            harness.open();
            harness.processElement(LONG, 0);
            harness.endInput();

            assertThat(harness.extractOutputValues())
                    .extracting(GenerationResult::failure)
                    .allMatch(failure -> failure.isEmpty())
                    .hasSize(1);
        }
    }

    private MockEnvironment environment() {
        return new MockEnvironmentBuilder()
                .setTaskManagerRuntimeInfo(
                        new TestingTaskManagerRuntimeInfo(
                                new Configuration(), new String[] {local.toString()}))
                .build();
    }

    private static OneInputStreamOperatorTestHarness<GenerationRequest, GenerationResult> harness(
            MockEnvironment environment, Duration passTimeout) throws Exception {
        LayerSkipConfiguration configuration =
                LayerSkipConfiguration.from(
                        new Configuration()
                                .set(LayerSkipOptions.MODEL_PATH, BundledModel.folder().toString())
                                .set(LayerSkipOptions.ASSISTANT_EARLY_EXIT, List.of(1))
                                .set(LayerSkipOptions.THREADS, 1)
                                .set(LayerSkipOptions.PASS_TIMEOUT, passTimeout));
        return new OneInputStreamOperatorTestHarness<>(
                GenerationOperatorFactory.dealingOut(configuration),
                CborTypeInformation.forRecord(GenerationRequest.class)
                        .createSerializer(new SerializerConfigImpl()),
                environment);
    }
}
