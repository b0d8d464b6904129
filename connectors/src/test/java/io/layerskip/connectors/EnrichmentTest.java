package io.layerskip.connectors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.layerskip.connectors.InvalidRequestException.ErrorClass;
import io.layerskip.engine.Confidence;
import io.layerskip.engine.FinishReason;
import io.layerskip.engine.GenerationRequest;
import io.layerskip.engine.GenerationResult;
import io.layerskip.engine.GenerationStatistics;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class EnrichmentTest {

    private static final int MAX_VALUE_BYTES = 1000;

    private static final GenerationStatistics STATISTICS =
            new GenerationStatistics(19, 3, 8, 7, 6, 2, 500_000, 1_000_000, 9_000_000);

    @Test
    void aRecordsPromptIsTheTemplateWithItsValues() throws Exception {
        GenerationRequest request = parse("{\"message\": \"Where?\"}", Map.of());

        assertThat(request.id()).isEqualTo("messages-3-42");
        assertThat(request.prompt()).isEqualTo("banking: Where?\n");
        assertThat(request.parameters().stop()).isEmpty();
    }

    @Test
    void aRecordsPromptIsAMessageWhereAChatIsAskedFor() throws Exception {
        GenerationRequest request =
                parse(
                        "{\"message\": \"Where?\"}",
                        Map.of(
                                "layerskip.chat", "true",
                                "layerskip.system-prompt", "Be brief."));

        assertThat(request.prompt()).isEmpty();
        assertThat(request.chat().orElseThrow().messages())
                .isEqualTo(
                        "[{\"role\":\"system\",\"content\":\"Be brief.\"},"
                                + "{\"role\":\"user\",\"content\":\"banking: Where?\\n\"}]");
        assertThat(request.chat().orElseThrow().createdMillis()).isEqualTo(1_795_392_000_999L);
        assertThat(
                        text(
                                enrich(
                                                "{\"message\": \"x\"}",
                                                "y",
                                                Map.of("layerskip.chat", "true"))
                                        .value()))
                .isEqualTo("{\"message\": \"x\",\"completion\":\"y\"}");
    }

    @Test
    void stopTextsAreThoseOfTheOption() throws Exception {
        assertThat(parse("{\"message\": \"x\"}", Map.of("layerskip.stop", "'\n';END")))
                .extracting(request -> request.parameters().stop())
                .isEqualTo(List.of("\n", "END"));
    }

    @Test
    void aRecordLeavesWithOneFieldMoreAndElseByteForByte() throws Exception {
        String record =
                "{ \"message\": \"Wh\u00e4t?\", \"n\": 12345678901234567890.1234567890e400,"
                        + "\n \"b\": [ 1 ],\"a\" :-0.0, \"e\": \"\\u00e4\\/\" }";

        OutgoingRecord enriched = enrich(record, "{\"intent\": \"say \\\"x\\\"\"}", Map.of());

        assertThat(text(enriched.value()))
                .isEqualTo(
                        record.substring(0, record.length() - 2)
                                + ",\"completion\":\"{\\\"intent\\\": \\\"say"
                                + " \\\\\\\"x\\\\\\\"\\\"}\" }");
    }

    @Test
    void keyAndHeadersAreKept() throws Exception {
        OutgoingRecord enriched = enrich("{\"message\": \"x\"}", "y", Map.of());

        assertThat(enriched.topic()).isEqualTo("enriched");
        assertThat(text(enriched.key())).isEqualTo("key");
        assertThat(enriched.headers()).extracting(RecordHeader::key).containsExactly("trace");
    }

    @Test
    void aByteOrderMarkIsTakenOff() throws Exception {
        assertThat(text(enrich("\ufeff{\"message\": \"x\"}", "y", Map.of()).value()))
                .isEqualTo("{\"message\": \"x\",\"completion\":\"y\"}");
    }

    @Test
    void aFieldOfThatNameIsReplaced() throws Exception {
        assertThat(text(enrich("{\"completion\": [1], \"message\": \"x\"}", "y", Map.of()).value()))
                .isEqualTo("{\"completion\": \"y\", \"message\": \"x\"}");
    }

    @Test
    void jsonIsWrittenAsTheValueThatItIs() throws Exception {
        Map<String, String> options =
                Map.of("layerskip.output-format", "JSON", "layerskip.output-field", "result.call");

        assertThat(text(enrich("{\"message\": \"x\"}", " {\"a\": 1.0}\n", options).value()))
                .isEqualTo("{\"message\": \"x\",\"result\":{\"call\":{\"a\": 1.0}}}");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "no JSON", "{\"a\": 1", "{\"a\": 1} {}", "{\"a\":1,\"a\":2}"})
    void whatIsNoJsonBecomesADeadLetterWithTheText(String completion) throws Exception {
        OutgoingRecord letter =
                enrich(
                        "{\"message\": \"x\"}",
                        completion,
                        Map.of("layerskip.output-format", "JSON"));

        assertThat(letter.topic()).isEqualTo("dead");
        assertThat(text(letter.value())).isEqualTo("{\"message\": \"x\"}");
        assertThat(header(letter, DeadLetterFormat.ERROR_CLASS)).contains("UNUSABLE_COMPLETION");
        assertThat(header(letter, DeadLetterFormat.ERROR_MESSAGE).orElseThrow())
                .startsWith("the completion is no JSON: ");
        assertThat(header(letter, DeadLetterFormat.PARTIAL_TEXT).orElse("")).isEqualTo(completion);
    }

    @Test
    void theUsageIsWrittenWhereAsked() throws Exception {
        OutgoingRecord enriched =
                enrich("{\"message\": \"x\"}", "y", Map.of("layerskip.usage-field", "meta.usage"));

        assertThat(text(enriched.value()))
                .isEqualTo(
                        "{\"message\": \"x\",\"completion\":\"y\",\"meta\":{\"usage\":"
                                + "{\"prompt_tokens\":19,\"completion_tokens\":8,"
                                + "\"total_tokens\":27,\"completion_tokens_details\":"
                                + "{\"accepted_prediction_tokens\":6,"
                                + "\"rejected_prediction_tokens\":1}}}}");
    }

    @Test
    void theConfidenceIsAskedForAndWrittenWhereAsked() throws Exception {
        Map<String, String> options = Map.of("layerskip.confidence-field", "sure");

        assertThat(parse("{\"message\": \"x\"}", options).parameters().returnConfidence()).isTrue();
        assertThat(text(enrich("{\"message\": \"x\"}", "y", options).value()))
                .isEqualTo(
                        "{\"message\": \"x\",\"completion\":\"y\",\"sure\":"
                                + "{\"mean_probability\":0.75,\"least_probability\":0.5}}");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "[1]                                     | INVALID_RECORD  | the record is [1]",
                "\"text\"                                | INVALID_RECORD  | allowed: a JSON object",
                "null                                    | INVALID_RECORD  | the record is null",
                "{\"text\": \"x\"}                       | INVALID_RECORD  | message is missing",
                "{\"message\": null}                     | INVALID_RECORD  | message is missing",
                "{\"message\": \"x\", \"result\": \"y\"} | INVALID_RECORD  | result is \"y\"",
                "{\"message\": \"x\", \"result\": 3}     | INVALID_RECORD  | result is 3",
                "{\"message\": \"x\"                     | INVALID_JSON    | at line 1",
                "{\"message\": \"x\", \"message\": \"y\"}| INVALID_JSON    | message",
            })
    void aRecordThatCannotBeEnrichedIsRefused(String record, ErrorClass error, String message) {
        InvalidRequestException e =
                catchThrowableOfType(
                        InvalidRequestException.class,
                        () -> parse(record, Map.of("layerskip.output-field", "result.intent")));

        assertThat(e.errorClass()).isEqualTo(error);
        assertThat(e).hasMessageContaining(message);
    }

    @Test
    void aRecordWithoutValueOrWithTooLargeAOneIsRefused() {
        String large = "{\"message\": \"" + "x".repeat(MAX_VALUE_BYTES) + "\"}";

        assertThat(
                        catchThrowableOfType(
                                        InvalidRequestException.class,
                                        () -> requests(Map.of()).parse(source(Optional.empty())))
                                .errorClass())
                .isEqualTo(ErrorClass.NULL_VALUE);
        assertThat(
                        catchThrowableOfType(
                                        InvalidRequestException.class, () -> parse(large, Map.of()))
                                .errorClass())
                .isEqualTo(ErrorClass.VALUE_TOO_LARGE);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "layerskip.prompt-template | {{a     | character 1 has no }}",
                "layerskip.prompt-template | text    | has no place for a field",
                "layerskip.output-field    | a[0]    | a field's name",
                "layerskip.output-field    | a..b    | a field's name",
                "layerskip.output-format   | XML     | TEXT or JSON",
                "layerskip.system-prompt   | set     | where layerskip.chat is true",
                "layerskip.usage-field     | completion.usage | another field than"
                        + " layerskip.output-field"
            })
    void aWrongSettingIsRefusedByName(String option, String value, String message) {
        assertThat(
                        catchThrowableOfType(
                                IllegalConfigurationException.class,
                                () -> configuration(Map.of(option, value))))
                .hasMessageContaining("option " + option + " is ")
                .hasMessageContaining(value)
                .hasMessageContaining(message);
    }

    @Test
    void theTemplateIsRequired() {
        assertThat(
                        catchThrowableOfType(
                                IllegalConfigurationException.class,
                                () -> EnrichmentConfiguration.from(new Configuration())))
                .hasMessageContaining("option layerskip.prompt-template is missing");
    }

    private static EnrichmentConfiguration configuration(Map<String, String> changes) {
        Map<String, String> options = new HashMap<>();
        options.put("layerskip.prompt-template", "banking: {{message}}\n");
        options.putAll(changes);
        return EnrichmentConfiguration.from(Configuration.fromMap(options));
    }

    private static EnrichmentRequestFormat requests(Map<String, String> options) {
        return new EnrichmentRequestFormat(configuration(options), MAX_VALUE_BYTES);
    }

    private static GenerationRequest parse(String record, Map<String, String> options)
            throws InvalidRequestException {
        return requests(options).parse(source(Optional.of(record)));
    }

    /** What leaves for a record and the completion of its prompt. */
    private static OutgoingRecord enrich(
            String record, String completion, Map<String, String> options) throws Exception {
        GenerationRequest request = parse(record, options);
        FormatResults format =
                new FormatResults(
                        "enriched",
                        100_000,
                        new EnrichedRecordFormat(configuration(options)),
                        new DeadLetterFormat("dead", 100_000));
        Functions.open(format);
        return format.map(
                new GenerationResult(
                        request.id(),
                        completion,
                        List.of(262, 1),
                        FinishReason.STOP,
                        STATISTICS,
                        Optional.empty(),
                        Optional.empty(),
                        request.attachment(),
                        List.of(),
                        Optional.of(new Confidence(0.75, 0.5)),
                        List.of()));
    }

    private static SourceRecord source(Optional<String> value) {
        return new SourceRecord(
                "messages",
                3,
                42,
                1_795_392_000_999L,
                Optional.of("key".getBytes(StandardCharsets.UTF_8)),
                value.map(text -> text.getBytes(StandardCharsets.UTF_8)),
                List.of(RecordHeader.ofText("trace", "7")));
    }

    private static Optional<String> header(OutgoingRecord record, String key) {
        return record.headers().stream()
                .filter(header -> header.key().equals(key))
                .findFirst()
                .map(header -> text(header.value()));
    }

    private static String text(Optional<byte[]> bytes) {
        return new String(bytes.orElseThrow(), StandardCharsets.UTF_8);
    }
}
