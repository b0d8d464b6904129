package io.layerskip.connectors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.layerskip.engine.Choice;
import io.layerskip.engine.Confidence;
import io.layerskip.engine.FinishReason;
import io.layerskip.engine.GenerationFailure;
import io.layerskip.engine.GenerationRequest;
import io.layerskip.engine.GenerationResult;
import io.layerskip.engine.GenerationStatistics;
import io.layerskip.engine.TokenLogprob;
import io.layerskip.engine.TokenLogprobs;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import org.apache.flink.util.InstantiationUtil;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class FormatResultsTest {

    private static final GenerationStatistics STATISTICS =
            new GenerationStatistics(19, 3, 8, 7, 6, 2, 500_000, 1_000_000, 9_000_000);

    private final FormatResults format =
            new FormatResults(
                    "completions",
                    100_000,
                    new CompletionFormat("tiny"),
                    new DeadLetterFormat("dead", 100_000));

    private final SourceRecord source =
            new SourceRecord(
                    "prompts",
                    3,
                    42,
                    1_795_392_000_999L,
                    Optional.of(utf8("key")),
                    Optional.of(utf8("{\"prompt\": \"Hi\", \"metadata\": {\"price\": 0.10}}")),
                    List.of(
                            RecordHeader.ofText("trace", "7"),
                            new RecordHeader("empty", Optional.empty())));

    @BeforeEach
    void open() throws Exception {
        Functions.open(format);
    }

    @Test
    void aCompletionIsATextCompletionObject() throws InvalidRequestException {
        OutgoingRecord completion = format.map(completed("{\"a\":1}", source));

        assertThat(completion.topic()).isEqualTo("completions");
        assertThat(text(completion.value()))
                .isEqualTo(
                        "{\"id\":\"prompts-3-42\",\"object\":\"text_completion\","
                                + "\"created\":1795392000,\"model\":\"tiny\","
                                + "\"system_fingerprint\":\"fp_0123456789\","
                                + "\"choices\":[{\"index\":0,\"text\":\"{\\\"a\\\":1}\","
                                + "\"logprobs\":null,\"finish_reason\":\"stop\"}],"
                                + "\"usage\":{\"prompt_tokens\":19,\"completion_tokens\":8,"
                                + "\"total_tokens\":27,\"completion_tokens_details\":"
                                + "{\"accepted_prediction_tokens\":6,"
                                + "\"rejected_prediction_tokens\":1}},"
                                + "\"metadata\":{\"price\":0.10}}");
    }

    @Test
    void eachCompletionIsAChoice() throws InvalidRequestException {
        GenerationResult several =
                completed(
                        List.of(),
                        Optional.empty(),
                        List.of(
                                new Choice(
                                        "b",
                                        List.of(7),
                                        FinishReason.LENGTH,
                                        List.of(),
                                        Optional.empty())));

        assertThat(text(format.map(several).value()))
                .contains(
                        "\"choices\":[{\"index\":0,\"text\":\"a\",\"logprobs\":null,"
                                + "\"finish_reason\":\"stop\"},"
                                + "{\"index\":1,\"text\":\"b\",\"logprobs\":null,"
                                + "\"finish_reason\":\"length\"}]");
        assertThat(
                        new String(
                                new CompletionFormat("tiny").withTokenIds().format(several),
                                StandardCharsets.UTF_8))
                .contains("\"token_ids\":[262,1]},", "\"token_ids\":[7]}]");
    }

    @Test
    void logprobsHaveOpenAisShape() throws InvalidRequestException {
        TokenLogprob rocket = new TokenLogprob(300, "\ud83d\ude80", -0.25);
        TokenLogprob end = new TokenLogprob(1, "", -0.5);
        TokenLogprob half = new TokenLogprob(9, "", -20_000);
        TokenLogprob letter = new TokenLogprob(65, "a", -1);
        TokenLogprob sameLetter = new TokenLogprob(66, "a", -2);

        GenerationResult result =
                completed(
                        List.of(
                                new TokenLogprobs(rocket, List.of(rocket, letter)),
                                new TokenLogprobs(half, List.of(letter, sameLetter)),
                                new TokenLogprobs(sameLetter, List.of()),
                                new TokenLogprobs(end, List.of(end))),
                        Optional.empty(),
                        List.of());

        assertThat(text(format.map(result).value()))
                .contains(
                        "\"logprobs\":{"
                                + "\"tokens\":[\"\\uD83D\\uDE80\",\"token_id:9\",\"a\",\"token_id:1\"],"
                                + "\"token_logprobs\":[-0.25,-9999.0,-2.0,-0.5],"
                                + "\"top_logprobs\":[{\"\\uD83D\\uDE80\":-0.25,\"a\":-1.0},"
                                + "{\"a\":-1.0,\"token_id:66\":-2.0,\"token_id:9\":-9999.0},"
                                + "{\"a\":-2.0},"
                                + "{\"token_id:1\":-0.5}],"
                                + "\"text_offset\":[0,1,1,2]}");
    }

    @Test
    void logprobsOfAChatHaveItsShape() {
        TokenLogprob letter = new TokenLogprob(65, "\u00e4", -0.25);
        TokenLogprob end = new TokenLogprob(1, "", -20_000);

        assertThat(
                        LogprobsFormat.format(
                                List.of(
                                        new TokenLogprobs(letter, List.of(letter, end)),
                                        new TokenLogprobs(end, List.of())),
                                true))
                .hasToString(
                        "{\"content\":["
                                + "{\"token\":\"\u00e4\",\"logprob\":-0.25,\"bytes\":[195,164],"
                                + "\"top_logprobs\":["
                                + "{\"token\":\"\u00e4\",\"logprob\":-0.25,\"bytes\":[195,164]},"
                                + "{\"token\":\"token_id:1\",\"logprob\":-9999.0,\"bytes\":null}]},"
                                + "{\"token\":\"token_id:1\",\"logprob\":-9999.0,\"bytes\":null,"
                                + "\"top_logprobs\":[]}]}");
    }

    @Test
    void aConfidenceIsThereIfItWasAskedFor() throws InvalidRequestException {
        GenerationResult result =
                completed(List.of(), Optional.of(new Confidence(0.75, 0.5)), List.of());

        assertThat(text(format.map(result).value()))
                .contains(
                        "\"finish_reason\":\"stop\",\"confidence\":"
                                + "{\"mean_probability\":0.75,\"least_probability\":0.5}}");
    }

    private GenerationResult completed(
            List<TokenLogprobs> logprobs, Optional<Confidence> confidence, List<Choice> more)
            throws InvalidRequestException {
        GenerationResult plain = completed("a", source);
        return new GenerationResult(
                plain.id(),
                plain.text(),
                plain.tokenIds(),
                plain.finishReason(),
                plain.statistics(),
                plain.failure(),
                plain.systemFingerprint(),
                plain.attachment(),
                logprobs,
                confidence,
                more);
    }

    @Test
    void theAnswerToMessagesIsAChatCompletionObject() throws InvalidRequestException {
        SourceRecord chat =
                sourceOf(
                        utf8("key"),
                        utf8("{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}]}"),
                        List.of());

        assertThat(text(format.map(completed("Hello \"you\"", chat)).value()))
                .isEqualTo(
                        "{\"id\":\"prompts-3-42\",\"object\":\"chat.completion\","
                                + "\"created\":0,\"model\":\"tiny\","
                                + "\"system_fingerprint\":\"fp_0123456789\","
                                + "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
                                + "\"content\":\"Hello \\\"you\\\"\"},"
                                + "\"logprobs\":null,\"finish_reason\":\"stop\"}],"
                                + "\"usage\":{\"prompt_tokens\":19,\"completion_tokens\":8,"
                                + "\"total_tokens\":27,\"completion_tokens_details\":"
                                + "{\"accepted_prediction_tokens\":6,"
                                + "\"rejected_prediction_tokens\":1}}}");
    }

    @Test
    void aCompletionKeepsKeyAndHeaders() throws InvalidRequestException {
        OutgoingRecord completion = format.map(completed("text", source));

        assertThat(text(completion.key())).isEqualTo("key");
        assertThat(completion.headers())
                .usingRecursiveFieldByFieldElementComparator()
                .isEqualTo(source.headers());
    }

    @Test
    void tokenIdsAreThereIfAskedFor() throws InvalidRequestException {
        byte[] completion =
                new CompletionFormat("tiny").withTokenIds().format(completed("text", source));

        assertThat(new String(completion, StandardCharsets.UTF_8))
                .contains("\"finish_reason\":\"stop\",\"token_ids\":[262,1]}");
    }

    @Test
    void aFailedRequestBecomesADeadLetter() throws InvalidRequestException {
        OutgoingRecord letter = format.map(failed("", source));

        assertThat(letter.topic()).isEqualTo("dead");
        assertThat(text(letter.key())).isEqualTo("key");
        assertThat(letter.value()).contains(source.value().orElseThrow());
        assertThat(letter.headers().subList(0, 2))
                .usingRecursiveFieldByFieldElementComparator()
                .isEqualTo(source.headers());
        assertThat(header(letter, DeadLetterFormat.ERROR_CLASS)).contains("TIMEOUT");
        assertThat(header(letter, DeadLetterFormat.ERROR_MESSAGE)).contains("after 5 s");
        assertThat(header(letter, DeadLetterFormat.SOURCE_TOPIC)).contains("prompts");
        assertThat(header(letter, DeadLetterFormat.SOURCE_PARTITION)).contains("3");
        assertThat(header(letter, DeadLetterFormat.SOURCE_OFFSET)).contains("42");
        assertThat(header(letter, DeadLetterFormat.PARTIAL_TEXT)).isEmpty();
    }

    @Test
    void aDeadLetterCarriesWhatWasWrittenBeforeTheFailure() throws InvalidRequestException {
        assertThat(header(format.map(failed("half", source)), DeadLetterFormat.PARTIAL_TEXT))
                .contains("half");
    }

    @Test
    void theLastResortFitsIntoTheSmallestTopicThatIsAllowed() {
        String longestTopic = "t".repeat(249);
        SourceRecord large =
                new SourceRecord(
                        longestTopic,
                        Integer.MAX_VALUE,
                        Long.MAX_VALUE,
                        0,
                        Optional.of(new byte[100_000]),
                        Optional.of(new byte[100_000]),
                        List.of(RecordHeader.ofText("trace", "7".repeat(100_000))));

        OutgoingRecord letter =
                new DeadLetterFormat("dead", DeadLetterFormat.MIN_RECORD_BYTES)
                        .format(large, "COMPLETION_TOO_LARGE", "\u20ac".repeat(100_000));

        assertThat(letter.maxBatchBytes()).isLessThanOrEqualTo(DeadLetterFormat.MIN_RECORD_BYTES);
    }

    @Test
    void aCompletionThatIsTooLargeBecomesADeadLetter() throws InvalidRequestException {
        OutgoingRecord letter = format.map(completed("x".repeat(100_000), source));

        assertThat(letter.topic()).isEqualTo("dead");
        assertThat(header(letter, DeadLetterFormat.ERROR_CLASS)).contains("COMPLETION_TOO_LARGE");
    }

    @Test
    void aDeadLetterThatIsTooLargeGoesWithoutItsValue() {
        SourceRecord large = sourceOf(utf8("key"), new byte[100_000], source.headers());

        OutgoingRecord letter = deadLetter(large);

        assertThat(letter.value()).isEmpty();
        assertThat(text(letter.key())).isEqualTo("key");
        assertThat(header(letter, DeadLetterFormat.OMITTED_VALUE)).contains("100000");
        assertThat(header(letter, DeadLetterFormat.OMITTED_HEADERS)).isEmpty();
        assertThat(header(letter, "trace")).contains("7");
    }

    @Test
    void aDeadLetterWithHeadersThatAreTooLargeGoesWithoutThem() {
        SourceRecord large =
                sourceOf(
                        utf8("key"),
                        new byte[5],
                        List.of(new RecordHeader("large", Optional.of(new byte[100_000]))));

        OutgoingRecord letter = deadLetter(large);

        assertThat(text(letter.key())).isEqualTo("key");
        assertThat(header(letter, DeadLetterFormat.OMITTED_HEADERS)).contains("1");
        assertThat(letter.maxBatchBytes()).isLessThan(2_000);
    }

    @Test
    void aDeadLetterWithAKeyThatIsTooLargeGoesWithoutIt() {
        OutgoingRecord letter = deadLetter(sourceOf(new byte[100_000], new byte[5], List.of()));

        assertThat(letter.key()).isEmpty();
        assertThat(header(letter, DeadLetterFormat.OMITTED_KEY)).contains("100000");
        assertThat(header(letter, DeadLetterFormat.SOURCE_OFFSET)).contains("42");
    }

    @Test
    void aResultOfALineOfAFileIsRefused() throws InvalidRequestException {
        GenerationRequest request =
                new CompletionRequestFormat().parse(utf8("{\"prompt\": \"Hi\"}"), "1");

        assertThatThrownBy(() -> format.map(completed("text", request)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("request 1 has no source record");
    }

    @Test
    void theFunctionStillFormatsAfterItsJourneyInAJobGraph() throws Exception {
        FormatResults arrived =
                InstantiationUtil.deserializeObject(
                        InstantiationUtil.serializeObject(format), getClass().getClassLoader());

        Functions.open(arrived);
        assertThat(arrived.map(completed("text", source)))
                .usingRecursiveComparison()
                .isEqualTo(format.map(completed("text", source)));
    }

    private static OutgoingRecord deadLetter(SourceRecord source) {
        return new DeadLetterFormat("dead", 100_000).format(source, "INVALID_JSON", "no JSON");
    }

    private static SourceRecord sourceOf(byte[] key, byte[] value, List<RecordHeader> headers) {
        return new SourceRecord("prompts", 3, 42, 0, Optional.of(key), Optional.of(value), headers);
    }

    private static GenerationResult completed(String text, SourceRecord source)
            throws InvalidRequestException {
        return completed(text, new CompletionRequestFormat().parse(source));
    }

    private static GenerationResult completed(String text, GenerationRequest request) {
        return new GenerationResult(
                request.id(),
                text,
                List.of(262, 1),
                FinishReason.STOP,
                STATISTICS,
                Optional.empty(),
                Optional.of("fp_0123456789"),
                request.attachment());
    }

    private static GenerationResult failed(String text, SourceRecord source)
            throws InvalidRequestException {
        GenerationRequest request = new CompletionRequestFormat().parse(source);
        return new GenerationResult(
                request.id(),
                text,
                List.of(),
                FinishReason.ERROR,
                GenerationStatistics.NONE,
                Optional.of(new GenerationFailure(GenerationFailure.Kind.TIMEOUT, "after 5 s")),
                Optional.empty(),
                request.attachment());
    }

    private static Optional<String> header(OutgoingRecord record, String key) {
        return record.headers().stream()
                .filter(header -> header.key().equals(key))
                .reduce((first, last) -> last)
                .map(header -> text(header.value()));
    }

    private static String text(Optional<byte[]> bytes) {
        return new String(bytes.orElseThrow(), StandardCharsets.UTF_8);
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
