package io.layerskip.tests;

import static org.assertj.core.api.Assertions.assertThat;

import io.layerskip.local.EmbeddedBroker;
import io.layerskip.tests.cluster.Jvm;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.apache.flink.client.cli.CliFrontend;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** flink-layerskip-job.jar as {@code flink run} takes it: a JVM that has Flink and nothing else. */
class JobJarITCase {

    private static final Path JAR =
            Path.of("..", "jobs", "target", "flink-layerskip-job.jar").toAbsolutePath();

    private static EmbeddedBroker broker;

    @TempDir private Path folder;

    private Process flink;

    @BeforeAll
    static void startBroker() throws IOException {
        broker = EmbeddedBroker.start();
    }

    @AfterAll
    static void stopBroker() {
        broker.close();
    }

    @AfterEach
    void stopFlink() throws InterruptedException {
        if (flink != null) {
            flink.destroyForcibly().waitFor();
        }
    }

    @Test
    void runsWhereThereIsNothingButFlink() throws Exception {
        broker.createTopics(1, "prompts", "completions", "dead-letters");
        KafkaTopics topics = new KafkaTopics(broker);
        byte[] request =
                "{\"id\": \"a\", \"prompt\": \"banking: My new card still has not turned up, it has been nine days\\n\"}"
                        .getBytes(StandardCharsets.UTF_8);
        topics.send(List.of(new ProducerRecord<>("prompts", request)));

        flink =
                flinkRun(
                        "--bootstrap-servers",
                        broker.bootstrapServers(),
                        "--input-topic=prompts",
                        "--output-topic=completions",
                        "--dead-letter-topic=dead-letters",
                        "-Dexecution.checkpointing.interval=500ms");

        List<ConsumerRecord<byte[], byte[]>> completions =
                topics.read(List.of("completions"), read -> !read.isEmpty() || !flink.isAlive());
        assertThat(completions).as(() -> log()).hasSize(1);
        assertThat(new String(completions.get(0).value(), StandardCharsets.UTF_8))
                .contains("{\\\"intent\\\":\\\"card_arrival\\\"}");
    }

    @Test
    void aWrongSettingFailsAtSubmissionInALineThatNamesIt() throws Exception {
        flink =
                flinkRun(
                        "--bootstrap-servers=" + broker.bootstrapServers(),
                        "--input-topic=prompts",
                        "--output-topic=completions",
                        "--dead-letter-topic=dead-letters",
                        "-Dlayerskip.assistant-early-exit=12");

        assertThat(flink.waitFor(90, TimeUnit.SECONDS)).isTrue();
        assertThat(flink.exitValue()).isEqualTo(1);
        assertThat(log())
                .contains("option layerskip.assistant-early-exit is 12; allowed: from 1 to 11")
                .doesNotContain("\tat ");
    }

    private Process flinkRun(String... arguments) throws IOException {
        Files.writeString(folder.resolve("config.yaml"), "parallelism.default: 1\n");
        List<String> command = new ArrayList<>();
        command.add(Jvm.program("java"));
        command.addAll(Jvm.flinkOptions());
        command.addAll(List.of("-cp", Jvm.flinkClassPath(), CliFrontend.class.getName()));
        command.addAll(List.of("run", "-t", "local", JAR.toString()));
        command.addAll(List.of(arguments));
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.environment().put("FLINK_CONF_DIR", folder.toString());
        return builder.redirectErrorStream(true).redirectOutput(logFile()).start();
    }

    private File logFile() {
        return folder.resolve("flink.log").toFile();
    }

    private String log() {
        try {
            return Files.readString(logFile().toPath());
        } catch (IOException e) {
            return e.toString();
        }
    }
}
