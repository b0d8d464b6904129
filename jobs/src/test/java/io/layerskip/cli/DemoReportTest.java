package io.layerskip.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.layerskip.connectors.DeadLetterFormat;
import io.layerskip.local.LocalJob;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.record.TimestampType;
import org.junit.jupiter.api.Test;

final class DemoReportTest {

    private static final Map<String, String> REASONS =
            Map.of(
                    DeadLetterFormat.ERROR_CLASS, "INVALID_JSON",
                    DeadLetterFormat.ERROR_MESSAGE, "no JSON",
                    DeadLetterFormat.SOURCE_TOPIC, "prompts",
                    DeadLetterFormat.SOURCE_PARTITION, "1",
                    DeadLetterFormat.SOURCE_OFFSET, "57");

    private final StringWriter out = new StringWriter();
    private final DemoReport report = new DemoReport(new PrintWriter(out), id -> Optional.empty());

    @Test
    void showsADeadLettersKey() throws IOException {
        report.show(record(LocalJob.DEAD_LETTERS, bytes("bad-1"), bytes("no JSON"), REASONS));

        assertThat(out).hasToString("bad-1 -> dead letter: INVALID_JSON: no JSON\n");
    }

    @Test
    void showsWhereADeadLetterWithoutAKeyWasSentTo() throws IOException {
        report.show(record(LocalJob.DEAD_LETTERS, null, bytes("no JSON"), REASONS));

        assertThat(out).hasToString("prompts-1-57 -> dead letter: INVALID_JSON: no JSON\n");
    }

    @Test
    void showsWhereADeadLetterWithAnEmptyKeyWasSentTo() throws IOException {
        report.show(record(LocalJob.DEAD_LETTERS, bytes(""), bytes("no JSON"), REASONS));

        assertThat(out).hasToString("prompts-1-57 -> dead letter: INVALID_JSON: no JSON\n");
    }

    @Test
    void showsTheIdOfACompletionWhosePromptOthersSent() throws IOException {
        String completion = "{\"id\": \"prompts-0-3\", \"choices\": [{\"text\": \"Hi\"}]}";

        report.show(record(LocalJob.COMPLETIONS, null, bytes(completion), Map.of()));

        assertThat(out).hasToString("prompts-0-3 -> Hi\n");
    }

    @Test
    void showsEachAnswerInOneLineAndLeavesTheTerminalAsItIs() throws IOException {
        String completion =
                "{\"id\": \"\\u001b[31mred\", \"choices\": [{\"text\": \"one\\r\\n\\ttwo\"}]}";

        report.show(record(LocalJob.COMPLETIONS, null, bytes(completion), Map.of()));

        assertThat(out).hasToString(" [31mred -> one two\n");
    }

    private static ConsumerRecord<byte[], byte[]> record(
            String topic, byte[] key, byte[] value, Map<String, String> headers) {
        RecordHeaders records = new RecordHeaders();
        headers.forEach((name, text) -> records.add(name, bytes(text)));
        return new ConsumerRecord<>(
                topic,
                0,
                0,
                ConsumerRecord.NO_TIMESTAMP,
                TimestampType.NO_TIMESTAMP_TYPE,
                ConsumerRecord.NULL_SIZE,
                ConsumerRecord.NULL_SIZE,
                key,
                value,
                records,
                Optional.empty());
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
