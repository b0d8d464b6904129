package io.layerskip.connectors;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class DeadLetterTest {

    private static final int LARGE = 1_000_000;

    @Test
    void isTheRecordThatItWasMadeOf() {
        List<RecordHeader> headers =
                List.of(
                        RecordHeader.ofText("trace", "7"),
                        RecordHeader.ofText("trace", "8"),
                        new RecordHeader("none", Optional.empty()));

        DeadLetter letter = read(letter(record(headers, 10), LARGE, "written")).orElseThrow();

        assertThat(letter.reason()).isEqualTo("TIMEOUT");
        assertThat(letter.sourcePosition()).isEqualTo("prompts-3-42");
        assertThat(letter.sourceTimestamp()).hasValue(1_000);
        assertThat(letter.tries()).isZero();
        assertThat(letter.headers()).isEqualTo(headers);
        assertThat(letter.omission()).isEmpty();
    }

    @Test
    void headersOfAnEarlierDeadLetterAreTheRecordsOwn() {
        List<RecordHeader> older =
                List.of(
                        RecordHeader.ofText(DeadLetterFormat.ERROR_CLASS, "INTERNAL_ERROR"),
                        RecordHeader.ofText(DeadLetterFormat.SOURCE_TOPIC, "older"),
                        RecordHeader.ofText(DeadLetterFormat.OMITTED_KEY, "5"));

        DeadLetter letter = read(letter(record(older, 10), LARGE, "")).orElseThrow();

        assertThat(letter.reason()).isEqualTo("TIMEOUT");
        assertThat(letter.sourceTopic()).isEqualTo("prompts");
        assertThat(letter.omission()).isEmpty();
        assertThat(letter.headers()).isEqualTo(older);
    }

    @Test
    void triesAreCountedAndNoHeaderOfTheRecord() {
        List<RecordHeader> headers =
                List.of(
                        RecordHeader.ofText(DeadLetterFormat.TRIES, "4"),
                        RecordHeader.ofText("trace", "7"));

        DeadLetter letter = read(letter(record(headers, 10), LARGE, "")).orElseThrow();

        assertThat(letter.tries()).isEqualTo(4);
        assertThat(letter.headers()).extracting(RecordHeader::key).containsExactly("trace");
    }

    @Test
    void triesThatAreNoNumberCountAsNone() {
        List<RecordHeader> headers = List.of(RecordHeader.ofText(DeadLetterFormat.TRIES, "-1"));

        assertThat(read(letter(record(headers, 10), LARGE, "")).orElseThrow().tries()).isZero();
    }

    @Test
    void whatWasLeftOutIsSaid() {
        OutgoingRecord cut =
                letter(record(List.of(), 50_000), DeadLetterFormat.MIN_RECORD_BYTES, "");

        assertThat(read(cut).orElseThrow().omission()).contains("its value of 50000 bytes");
    }

    @Test
    void aRecordWithoutReasonsIsNone() {
        OutgoingRecord record =
                new OutgoingRecord("dead-letters", Optional.empty(), Optional.empty(), List.of());

        assertThat(read(record)).isEmpty();
    }

    @Test
    void aRecordWithReasonsOfAnotherKindIsNone() {
        for (String key :
                List.of(
                        DeadLetterFormat.ERROR_CLASS,
                        DeadLetterFormat.SOURCE_TOPIC,
                        DeadLetterFormat.SOURCE_PARTITION,
                        DeadLetterFormat.SOURCE_OFFSET)) {
            List<RecordHeader> headers =
                    new ArrayList<>(letter(record(List.of(), 10), LARGE, "").headers());
            headers.replaceAll(
                    header ->
                            header.key().equals(key)
                                    ? RecordHeader.ofText(key, "no such thing!")
                                    : header);

            OutgoingRecord record =
                    new OutgoingRecord("dead-letters", Optional.empty(), Optional.empty(), headers);

            assertThat(read(record)).as(key).isEmpty();
        }
    }

    private static SourceRecord record(List<RecordHeader> headers, int valueBytes) {
        return new SourceRecord(
                "prompts",
                3,
                42,
                1_000,
                Optional.of("key".getBytes(StandardCharsets.UTF_8)),
                Optional.of(new byte[valueBytes]),
                headers);
    }

    private static OutgoingRecord letter(SourceRecord record, int maxBytes, String partialText) {
        return new DeadLetterFormat("dead-letters", maxBytes)
                .format(record, "TIMEOUT", "late", partialText);
    }

    private static Optional<DeadLetter> read(OutgoingRecord letter) {
        return DeadLetter.read(
                new SourceRecord(
                        letter.topic(),
                        0,
                        7,
                        2_000,
                        letter.key(),
                        letter.value(),
                        letter.headers()));
    }
}
