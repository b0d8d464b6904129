package io.layerskip.connectors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.layerskip.engine.GenerationFailure;
import io.layerskip.engine.GenerationParameters;
import io.layerskip.engine.GenerationRequest;
import io.layerskip.engine.GenerationResult;
import io.layerskip.flink.CborTypeInformation;
import io.layerskip.flink.CheckpointedForm;
import io.layerskip.flink.LayerSkipAsyncFunction;
import io.layerskip.flink.LayerSkipConfiguration;
import io.layerskip.flink.LayerSkipOptions;
import io.layerskip.flink.UnreadableRequestException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.flink.api.common.serialization.SerializerConfigImpl;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.state.StateObject;
import org.apache.flink.streaming.api.datastream.AsyncDataStream.OutputMode;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.operators.OneInputStreamOperatorFactory;
import org.apache.flink.streaming.api.transformations.OneInputTransformation;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Requests in flight as checkpoints keep them: their records. */
@SuppressWarnings("try") // The harness declares that close() throws any exception.
class CheckpointedRecordTest {

    private static final Path MODEL =
            Path.of("..", "jobs", "src", "main", "resources", "models", "layerskip-intents-9M");
    private static final String SMALL =
            "{\"prompt\": \"banking: Where is my card?\\n\", \"metadata\": {\"customer\": 7}}";

    private static final RequestFormat FORMAT = new CompletionRequestFormat();

    @ParameterizedTest
    @EnumSource(OutputMode.class)
    void aCheckpointHoldsEveryRecordOnce(OutputMode order) throws Exception {
        List<SourceRecord> records = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            records.add(
                    record(
                            i,
                            "{\"prompt\": \"%s\", \"metadata\": {\"note\": \"%s\"}}"
                                    .formatted(
                                            "Où est ma carte? \\n\\u00e9 ".repeat(2_500),
                                            "metadata ".repeat(4_000))));
        }
        long bytes = records.stream().mapToLong(r -> r.value().orElseThrow().length).sum();
        assertThat(bytes / 20).isGreaterThan(100_000);

        try (var operator = operator(order, FORMAT)) {
            operator.open();
            for (SourceRecord record : records) {
                operator.processElement(FORMAT.parse(record), 0);
            }

            long size =
                    operator.snapshot(1, 1).getManagedOperatorState().stream()
                            .mapToLong(StateObject::getStateSize)
                            .sum();
            assertThat((double) size / bytes).isBetween(1.0, 1.2);
        }
    }

    @ParameterizedTest
    @EnumSource(OutputMode.class)
    void theCompletionIsTheSameAfterARestart(OutputMode order) throws Exception {
        OperatorSubtaskState state;
        OutgoingRecord undisturbed;
        try (var operator = operator(order, FORMAT)) {
            operator.open();
            operator.processElement(FORMAT.parse(record(1, SMALL)), 0);
            state = operator.snapshot(1, 1);
            undisturbed = format(finish(operator));
        }

        try (var operator = operator(order, FORMAT)) {
            operator.initializeState(state);
            operator.open();
            OutgoingRecord completion = format(finish(operator));

            assertThat(completion.topic()).isEqualTo("completions");
            assertThat(text(completion)).contains("\"metadata\":{\"customer\":7}");
            assertThat(choices(completion)).isEqualTo(choices(undisturbed));
        }
    }

    private static String choices(OutgoingRecord completion) {
        String text = text(completion);
        return text.substring(text.indexOf("\"choices\""), text.indexOf("\"usage\""));
    }

    @Test
    void aRecordThatTheJobReadsInAnotherWayByNowIsADeadLetterAndWhole() throws Exception {
        OperatorSubtaskState state;
        try (var operator = operator(OutputMode.ORDERED, FORMAT)) {
            operator.open();
            operator.processElement(FORMAT.parse(record(1, SMALL)), 0);
            state = operator.snapshot(1, 1);
        }

        try (var operator = operator(OutputMode.ORDERED, new CompletionRequestFormat(20))) {
            operator.initializeState(state);
            operator.open();
            OutgoingRecord letter = format(finish(operator));

            assertThat(letter.topic()).isEqualTo("dead-letters");
            assertThat(text(letter)).isEqualTo(SMALL);
            assertThat(header(letter, DeadLetterFormat.ERROR_CLASS))
                    .isEqualTo(GenerationFailure.Kind.INVALID_REQUEST.name());
            assertThat(header(letter, DeadLetterFormat.ERROR_MESSAGE))
                    .startsWith("it was in flight when the job stopped, and is no request to this")
                    .contains("allowed: at most 20");
            assertThat(header(letter, DeadLetterFormat.SOURCE_OFFSET)).isEqualTo("1");
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                SMALL,
                "{\"prompt\": \"\\ud83d\\ude00 x\", \"id\": 7, \"n\": 2, \"stop\": [\"a\"]}",
                "{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}], \"seed\": 3,"
                        + " \"metadata\": {\"a\": 1}}",
            })
    void aRequestIsReadAgainAsItWas(String value) throws Exception {
        assertReadAgain(FORMAT, record(3, value));
    }

    @ParameterizedTest
    @ValueSource(strings = {"false", "true"})
    void aRecordToEnrichIsReadAgainAsItWas(String chat) throws Exception {
        EnrichmentConfiguration enrichment =
                EnrichmentConfiguration.from(
                        Configuration.fromMap(
                                Map.of(
                                        "layerskip.prompt-template",
                                        "banking: {{message}}\n",
                                        "layerskip.chat",
                                        chat)));
        assertReadAgain(
                new EnrichmentRequestFormat(enrichment, 1000),
                record(3, "{\"message\": \"Where is my card?\"}"));
    }

    private static void assertReadAgain(RequestFormat format, SourceRecord record)
            throws Exception {
        CheckpointedForm form = new CheckpointedRecord(format);
        GenerationRequest request = format.parse(record);

        GenerationRequest kept = form.toCheckpoint(request);
        assertThat(kept.prompt()).isEmpty();
        assertThat(kept.chat()).isEmpty();
        assertThat(new KafkaRouting().partition(kept, 7))
                .isEqualTo(new KafkaRouting().partition(request, 7));
        assertThat(form.fromCheckpoint(kept)).usingRecursiveComparison().isEqualTo(request);
    }

    @Test
    void aRequestOfAnEarlierVersionIsWhole() throws Exception {
        GenerationRequest request = FORMAT.parse(record(3, SMALL));

        assertThat(new CheckpointedRecord(FORMAT).fromCheckpoint(request)).isSameAs(request);
    }

    @Test
    void aRequestWithoutARecordIsKeptAsItIs() throws Exception {
        GenerationRequest line =
                new CompletionRequestFormat().parse(SMALL.getBytes(StandardCharsets.UTF_8), "1");

        assertThat(new CheckpointedRecord(FORMAT).toCheckpoint(line)).isSameAs(line);
    }

    @Test
    void whatIsNoRequestAnyMoreSaysWhy() throws Exception {
        GenerationRequest kept =
                new CheckpointedRecord(FORMAT).toCheckpoint(FORMAT.parse(record(3, SMALL)));

        assertThat(
                        catchThrowableOfType(
                                UnreadableRequestException.class,
                                () ->
                                        new CheckpointedRecord(new CompletionRequestFormat(20))
                                                .fromCheckpoint(kept)))
                .hasMessageContaining("allowed: at most 20")
                .hasCauseInstanceOf(InvalidRequestException.class);
    }

    private static OneInputStreamOperatorTestHarness<GenerationRequest, GenerationResult> operator(
            OutputMode order, RequestFormat format) throws Exception {
        LayerSkipConfiguration configuration =
                LayerSkipConfiguration.from(
                        new Configuration()
                                .set(LayerSkipOptions.MODEL_PATH, MODEL.toString())
                                .set(LayerSkipOptions.OUTPUT_ORDER, order));
        DataStream<GenerationRequest> requests =
                StreamExecutionEnvironment.getExecutionEnvironment()
                        .fromSequence(0, 0)
                        .map(i -> new GenerationRequest("", "", GenerationParameters.DEFAULTS))
                        .returns(CborTypeInformation.forRecord(GenerationRequest.class));
        ParseRequests parse =
                new ParseRequests(format, new DeadLetterFormat("dead-letters", 1 << 20));
        @SuppressWarnings("unchecked") // Flink's types say less than it is.
        OneInputStreamOperatorFactory<GenerationRequest, GenerationResult> generate =
                (OneInputStreamOperatorFactory<GenerationRequest, GenerationResult>)
                        ((OneInputTransformation<GenerationRequest, GenerationResult>)
                                        LayerSkipAsyncFunction.generate(
                                                        requests,
                                                        configuration,
                                                        new KafkaRouting(),
                                                        parse.checkpointedForm())
                                                .getTransformation())
                                .getOperatorFactory();
        return new OneInputStreamOperatorTestHarness<>(
                generate,
                CborTypeInformation.forRecord(GenerationRequest.class)
                        .createSerializer(new SerializerConfigImpl()));
    }

    private static GenerationResult finish(
            OneInputStreamOperatorTestHarness<GenerationRequest, GenerationResult> operator)
            throws Exception {
        operator.endInput();
        assertThat(operator.extractOutputValues()).hasSize(1);
        return operator.extractOutputValues().get(0);
    }

    private static OutgoingRecord format(GenerationResult result) throws Exception {
        FormatResults format =
                new FormatResults(
                        "completions",
                        1 << 20,
                        new CompletionFormat("model"),
                        new DeadLetterFormat("dead-letters", 1 << 20));
        try (var operator = Functions.open(format)) {
            operator.processElement(result, 0);
            return operator.extractOutputValues().get(0);
        }
    }

    private static SourceRecord record(long offset, String value) {
        return new SourceRecord(
                "prompts",
                0,
                offset,
                1_795_392_000_999L,
                Optional.of(new byte[] {1}),
                Optional.of(value.getBytes(StandardCharsets.UTF_8)),
                List.of(RecordHeader.ofText("trace", "7")));
    }

    private static String text(OutgoingRecord record) {
        return new String(record.value().orElseThrow(), StandardCharsets.UTF_8);
    }

    private static String header(OutgoingRecord record, String key) {
        return record.headers().stream()
                .filter(header -> header.key().equals(key))
                .map(header -> new String(header.value().orElseThrow(), StandardCharsets.UTF_8))
                .findFirst()
                .orElseThrow();
    }
}
