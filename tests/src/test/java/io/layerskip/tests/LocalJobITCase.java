package io.layerskip.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.layerskip.connectors.DeadLetterFormat;
import io.layerskip.flink.LayerSkipOptions;
import io.layerskip.jobs.JobType;
import io.layerskip.local.LocalJob;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.junit.jupiter.api.Test;

/** The job with a broker and Flink of its own, as the demo and the benchmark use it. */
class LocalJobITCase {

    private static final Duration DEADLINE = Duration.ofSeconds(90);

    @Test
    void answersWhatIsSentWithoutAKey() throws Exception {
        try (LocalJob job = LocalJob.start(options(), 1, JobType.GENERATE)) {
            send(job, "{\"prompt\": \"banking: Where is my card?\\n\"}");
            send(job, "this is no JSON");

            List<ConsumerRecord<byte[], byte[]>> answers = read(job, 2);

            assertThat(answers)
                    .extracting(ConsumerRecord::topic)
                    .containsExactlyInAnyOrder(LocalJob.COMPLETIONS, LocalJob.DEAD_LETTERS);
            assertThat(answers).extracting(ConsumerRecord::key).containsOnlyNulls();
            assertThat(value(only(answers, LocalJob.COMPLETIONS)))
                    .contains("\"id\":\"prompts-0-0\"");
        }
    }

    @Test
    void makesADeadLetterOfARecordThatIsLargerThanARequest() throws Exception {
        try (LocalJob job = LocalJob.start(options(), 1, JobType.GENERATE)) {
            String value = "{\"prompt\": \"" + "word ".repeat(500_000) + "\"}";
            send(job, value);

            ConsumerRecord<byte[], byte[]> answer = only(read(job, 1), LocalJob.DEAD_LETTERS);

            assertThat(header(answer, DeadLetterFormat.ERROR_CLASS)).isEqualTo("VALUE_TOO_LARGE");
            assertThat(value(answer)).isEqualTo(value);
        }
    }

    @Test
    void endsItsEnginesWhenItIsClosed() throws Exception {
        try (LocalJob job = LocalJob.start(options(), 1, JobType.GENERATE)) {
            send(job, "{\"prompt\": \"banking: Where is my card?\\n\"}");
            read(job, 1);
            assertThat(engineThreads()).isNotEmpty();
        }
        assertThat(engineThreads()).isEmpty();
    }

    @Test
    void endsInFullInAThreadThatIsInterrupted() throws Exception {
        LocalJob job = LocalJob.start(options(), 1, JobType.GENERATE);
        send(job, "{\"prompt\": \"banking: Where is my card?\\n\"}");
        read(job, 1);

        Thread.currentThread().interrupt();
        assertThatThrownBy(job::poll).isInstanceOf(InterruptedException.class);
        Thread.currentThread().interrupt();
        job.close();

        assertThat(Thread.interrupted()).as("still interrupted").isTrue();
        assertThat(engineThreads()).isEmpty();
    }

    @Test
    void refusesAnOptionThatIsNotAllowed() {
        Configuration wrong = options().set(LayerSkipOptions.TOP_P, 7.0);

        assertThatThrownBy(() -> LocalJob.start(wrong, 1, JobType.GENERATE))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageContaining(LayerSkipOptions.TOP_P.key());
    }

    /** What is read appears when a checkpoint commits it. */
    private static Configuration options() {
        return new Configuration()
                .set(CheckpointingOptions.CHECKPOINTING_INTERVAL, Duration.ofMillis(500));
    }

    private static void send(LocalJob job, String value) {
        job.send(new ProducerRecord<>(LocalJob.PROMPTS, value.getBytes(StandardCharsets.UTF_8)));
    }

    /** So many answers, or as many as there are after 90 s. */
    private static List<ConsumerRecord<byte[], byte[]>> read(LocalJob job, int count)
            throws InterruptedException {
        List<ConsumerRecord<byte[], byte[]>> answers = new ArrayList<>();
        Instant deadline = Instant.now().plus(DEADLINE);
        while (answers.size() < count && Instant.now().isBefore(deadline)) {
            job.poll().forEach(answers::add);
        }
        assertThat(answers).hasSize(count);
        return answers;
    }

    private static ConsumerRecord<byte[], byte[]> only(
            List<ConsumerRecord<byte[], byte[]>> answers, String topic) {
        List<ConsumerRecord<byte[], byte[]>> found =
                answers.stream().filter(answer -> answer.topic().equals(topic)).toList();
        assertThat(found).hasSize(1);
        return found.get(0);
    }

    private static String value(ConsumerRecord<byte[], byte[]> answer) {
        return new String(answer.value(), StandardCharsets.UTF_8);
    }

    private static String header(ConsumerRecord<byte[], byte[]> answer, String name) {
        return new String(answer.headers().lastHeader(name).value(), StandardCharsets.UTF_8);
    }

    private static List<String> engineThreads() {
        return Thread.getAllStackTraces().keySet().stream()
                .map(Thread::getName)
                .filter(name -> name.startsWith("layerskip-engine"))
                .toList();
    }
}
