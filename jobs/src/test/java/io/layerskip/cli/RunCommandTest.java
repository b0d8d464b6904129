package io.layerskip.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.layerskip.local.EmbeddedBroker;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.Stream;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Jobs that run to their end, as a shell starts them. */
class RunCommandTest {

    private static EmbeddedBroker broker;

    private final ByteArrayOutputStream err = new ByteArrayOutputStream();
    private String messages;
    private String enriched;
    private String deadLetters;

    @BeforeAll
    static void startBroker() throws IOException {
        broker = EmbeddedBroker.start();
    }

    @AfterAll
    static void stopBroker() {
        broker.close();
    }

    @BeforeEach
    void createTopics() throws IOException {
        String test = UUID.randomUUID().toString();
        messages = "messages-" + test;
        enriched = "enriched-" + test;
        deadLetters = "dead-letters-" + test;
        broker.createTopics(1, messages, enriched, deadLetters);
    }

    @Test
    void aJobThatReachesItsEndIsSummedUp() {
        send("{\"message\": \"The cash machine kept my card\"}", "{\"message\": \"Hi\"}");

        int exitCode = enrich("--fail-on-dead-letters");

        assertThat(exitCode).as(this::printed).isZero();
        assertThat(printed())
                .containsPattern("records +2\n")
                .containsPattern("dead letters +0\n")
                .containsPattern("prompt tokens +[1-9]")
                .containsPattern("completion tokens +[1-9]")
                .containsPattern("acceptance rate +[0-9.]+ %\n")
                .containsPattern("wall time +[0-9.]+ s\n");
    }

    @Test
    void deadLettersAreToldApartByTheExitCodeIfAskedFor() {
        send("{\"message\": \"Hi\"}", "no JSON");

        assertThat(enrich("--fail-on-dead-letters")).as(this::printed).isEqualTo(3);
        assertThat(printed()).containsPattern("dead letters +1\n");
    }

    @Test
    void deadLettersAreNoFailureOtherwise() {
        send("no JSON");

        assertThat(enrich()).as(this::printed).isZero();
    }

    @Test
    void onlyAJobThatEndsCanFailOnDeadLetters() {
        assertThat(run("--job=generate", "--fail-on-dead-letters")).isEqualTo(2);
        assertThat(printed()).contains("option kafka.source.ending-offsets is missing");
    }

    @Test
    void aTemplateThatCannotBeReadIsRefused() {
        assertThat(run("--job=enrich", "-Dlayerskip.prompt-template={{message")).isEqualTo(2);
        assertThat(printed())
                .contains("option layerskip.prompt-template is \"{{message\"")
                .contains("the {{ at character 1 has no }}");
    }

    @Test
    void anUnknownJobIsRefused() {
        assertThat(run("--job=translate")).isEqualTo(2);
        assertThat(printed()).contains("--job").contains("translate").contains("ENRICH");
    }

    private int enrich(String... arguments) {
        return run(
                Stream.concat(
                                Stream.of(
                                        "--job=enrich",
                                        "-Dlayerskip.prompt-template=banking: {{message}}\n",
                                        "-Dkafka.source.ending-offsets=LATEST",
                                        "-Dexecution.checkpointing.interval=500ms"),
                                Stream.of(arguments))
                        .toArray(String[]::new));
    }

    private int run(String... arguments) {
        List<String> all = new ArrayList<>();
        all.add("run");
        all.add("--bootstrap-servers=" + broker.bootstrapServers());
        all.add("--input-topic=" + messages);
        all.add("--output-topic=" + enriched);
        all.add("--dead-letter-topic=" + deadLetters);
        all.add("--parallelism=1");
        all.addAll(List.of(arguments));
        PrintStream out = new PrintStream(err, true, StandardCharsets.UTF_8);
        return Main.commandLine(out, out).execute(all.toArray(String[]::new));
    }

    private String printed() {
        return err.toString(StandardCharsets.UTF_8);
    }

    private void send(String... values) {
        try (KafkaProducer<String, String> producer =
                new KafkaProducer<>(
                        Map.of("bootstrap.servers", broker.bootstrapServers()),
                        new StringSerializer(),
                        new StringSerializer())) {
            for (String value : values) {
                producer.send(new ProducerRecord<>(messages, value));
            }
        }
    }
}
