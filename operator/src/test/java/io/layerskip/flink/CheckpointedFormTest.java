package io.layerskip.flink;

import static org.assertj.core.api.Assertions.assertThat;

import io.layerskip.engine.GenerationFailure;
import io.layerskip.engine.GenerationParameters;
import io.layerskip.engine.GenerationRequest;
import io.layerskip.engine.GenerationResult;
import io.layerskip.model.BundledModel;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.api.datastream.AsyncDataStream.OutputMode;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Requests that a checkpoint keeps without what can be read again. */
@SuppressWarnings("try") // The harness declares that close() throws any exception.
final class CheckpointedFormTest {

    private static final int TOKENS = 200;
    private static final GenerationRequest REQUEST =
            PromptInAttachment.read("1", "banking: Where is my card?\n");

    /** The attachment is the prompt. */
    private static final class PromptInAttachment implements CheckpointedForm {

        private static final long serialVersionUID = 1;

        @Override
        public GenerationRequest toCheckpoint(GenerationRequest request) {
            return new GenerationRequest(
                    request.id(), "", GenerationParameters.DEFAULTS, request.attachment());
        }

        @Override
        public GenerationRequest fromCheckpoint(GenerationRequest kept)
                throws UnreadableRequestException {
            String prompt = new String(kept.attachment(), StandardCharsets.UTF_8);
            if (!prompt.startsWith("banking")) {
                throw new UnreadableRequestException(
                        prompt + " is no message", new IllegalArgumentException());
            }
            return read(kept.id(), prompt);
        }

        private static GenerationRequest read(String id, String prompt) {
            return new GenerationRequest(
                    id,
                    prompt,
                    GenerationParameters.builder().maxTokens(TOKENS).ignoreEos(true).build(),
                    prompt.getBytes(StandardCharsets.UTF_8));
        }
    }

    @ParameterizedTest
    @EnumSource(OutputMode.class)
    void aRequestGoesOnThoughItsPromptWasNotKept(OutputMode order) throws Exception {
        OperatorSubtaskState state;
        List<Integer> undisturbed;
        try (Subtask subtask = Subtask.start(operator(order))) {
            subtask.process(REQUEST);
            state = checkpointWithTokens(subtask);
            undisturbed = subtask.finish().get(0).tokenIds();
        }
        SavedRequest saved = SavedState.requests(state).get(0);
        assertThat(saved.request().prompt()).isEmpty();
        assertThat(saved.request().parameters()).isEqualTo(GenerationParameters.DEFAULTS);

        try (Subtask subtask = Subtask.restore(operator(order), state, 1, 0)) {
            GenerationResult result = subtask.finish().get(0);

            assertThat(result.tokenIds()).isEqualTo(undisturbed).hasSize(TOKENS);
            assertThat(result.attachment()).isEqualTo(REQUEST.attachment());
            assertThat(subtask.counter("resumedTokens"))
                    .isEqualTo(saved.generation().orElseThrow().tokens());
            assertThat(subtask.counter("restartedRequests")).isZero();
        }
    }

    @Test
    void whatIsNoRequestAnyMoreEndsAsAFailureAndTheOthersGoOn() throws Exception {
        OperatorSubtaskState state;
        try (Subtask subtask = Subtask.start(operator(OutputMode.ORDERED))) {
            subtask.process(PromptInAttachment.read("odd", "weather: Is it raining?\n"));
            subtask.process(REQUEST);
            state = subtask.checkpoint();
        }

        try (Subtask subtask = Subtask.restore(operator(OutputMode.ORDERED), state, 1, 0)) {
            List<GenerationResult> results = subtask.finish();

            assertThat(results).extracting(GenerationResult::id).containsExactly("odd", "1");
            assertThat(results.get(0).failure())
                    .contains(
                            new GenerationFailure(
                                    GenerationFailure.Kind.INVALID_REQUEST,
                                    "it was in flight when the job stopped, and is no request to"
                                            + " this one: weather: Is it raining?\n is no message"));
            assertThat(results.get(0).attachment())
                    .asString(StandardCharsets.UTF_8)
                    .isEqualTo("weather: Is it raining?\n");
            assertThat(results.get(1).tokenIds()).hasSize(TOKENS);
        }
    }

    /** The first checkpoint in which the request has tokens. */
    private static OperatorSubtaskState checkpointWithTokens(Subtask subtask) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(1);
        OperatorSubtaskState state = subtask.checkpoint();
        while (SavedState.requests(state).get(0).generation().isEmpty()) {
            assertThat(System.nanoTime()).as("deadline").isLessThan(deadline);
            state = subtask.checkpoint();
        }
        return state;
    }

    private static GenerationOperatorFactory operator(OutputMode order) {
        return GenerationOperatorFactory.routing(
                LayerSkipConfiguration.from(
                        new Configuration()
                                .set(LayerSkipOptions.MODEL_PATH, BundledModel.folder().toString())
                                .set(LayerSkipOptions.NUM_ASSISTANT_TOKENS, "0")
                                .set(LayerSkipOptions.OUTPUT_ORDER, order)),
                (request, subtasks) -> 0,
                new PromptInAttachment());
    }
}
