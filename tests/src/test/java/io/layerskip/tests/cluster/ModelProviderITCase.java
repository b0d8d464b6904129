package io.layerskip.tests.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Flink SQL from Kafka to Kafka on a real cluster, submitted through Flink's SQL gateway. Logs stay
 * in target/model-provider.
 */
class ModelProviderITCase {

    private static final Path PROVIDER =
            Path.of("..", "connectors", "sql", "target", "flink-layerskip-sql.jar")
                    .toAbsolutePath()
                    .normalize();
    private static final Path KAFKA =
            Path.of("target", "lib", "flink-sql-connector-kafka.jar").toAbsolutePath();

    private static final int PARTITIONS = 4;
    private static final Duration DEADLINE = Duration.ofMinutes(3);
    private static final JsonMapper JSON = new JsonMapper();

    private static final String INSERT =
            """
            INSERT INTO completions
            SELECT id, completion, error, prompt_tokens, completion_tokens
            FROM ML_PREDICT(
              INPUT => TABLE prompts,
              MODEL => MODEL intents,
              ARGS => DESCRIPTOR(prompt),
              CONFIG => MAP['max-concurrent-operations', '32'])
            """;

    @AutoClose private KafkaBroker broker;
    @AutoClose private FlinkCluster cluster;
    @AutoClose private SqlGateway gateway;

    private List<GoldenCase> cases;

    @BeforeEach
    void start() throws Exception {
        cases = GoldenCase.all();
    }

    private void start(String folder, List<Path> lib) throws Exception {
        Path target = TestBed.folder(folder);
        broker = KafkaBroker.start(target.resolve("broker"));
        broker.createTopics(PARTITIONS, "prompts", "completions");
        cluster = FlinkCluster.startWith(lib, target);
        gateway = cluster.startSqlGateway();
    }

    @Test
    void aKilledTaskManagerLosesNoRowWithTheJarInLib() throws Exception {
        start("model-provider-lib", List.of(PROVIDER, KAFKA));
        send(0, 1_200);
        String job = gateway.submit(tables(), INSERT);
        cluster.awaitRunning(job);
        FlinkCluster.await("some completions", () -> !read(1).isEmpty());

        cluster.replaceTaskManager(0);
        send(1_200, 2_400);

        assertCompleted(read(2_400), 2_400);
        assertThat(cluster.counter("prompts")).isGreaterThanOrEqualTo(2_400);
        cluster.cancel(job);
    }

    @Test
    void aJarThatIsAddedServesQueryAfterQuery() throws Exception {
        start("model-provider-add-jar", List.of());
        gateway.execute("ADD JAR '" + PROVIDER + "'");
        gateway.execute("ADD JAR '" + KAFKA + "'");
        send(0, 240);
        String job = gateway.submit(tables(), INSERT);

        assertCompleted(read(240), 240);

        cluster.cancel(job);
        // Another class loader, on the same TaskManagers.
        gateway.execute("SET 'execution.runtime-mode' = 'streaming'");
        String again = gateway.submit(List.of(), INSERT);
        assertThat(read(480)).hasSize(480);
        cluster.cancel(again);
        for (int i = 0; i < FlinkCluster.TASK_MANAGERS; i++) {
            assertThat(cluster.taskManager(i).output())
                    .doesNotContain("UnsatisfiedLinkError", "stays until the process ends");
        }
        FlinkCluster.await(
                "unpacked libraries to be deleted",
                () ->
                        cluster.processes().keySet().stream()
                                .map(cluster::temporary)
                                .noneMatch(ModelProviderITCase::hasLibraries));
    }

    @Test
    void aWrongOptionFailsAtSubmission() throws Exception {
        start("model-provider-refused", List.of(PROVIDER, KAFKA));

        assertThatThrownBy(
                        () ->
                                gateway.submit(
                                        tables().stream()
                                                .map(s -> s.replace("'64'", "'0'"))
                                                .toList(),
                                        INSERT))
                .hasStackTraceContaining(
                        "option max-tokens is 0; allowed: a whole number, at least 1");
    }

    private static boolean hasLibraries(Path folder) {
        return Optional.ofNullable(folder.toFile().list()).map(List::of).orElse(List.of()).stream()
                .anyMatch(file -> file.startsWith("onnxruntime") || file.startsWith("layerskip"));
    }

    private List<String> tables() {
        String kafka =
                "'connector' = 'kafka', 'format' = 'json', 'properties.bootstrap.servers' = '%s'"
                        .formatted(broker.bootstrapServers());
        return List.of(
                """
                CREATE TABLE prompts (id INT, prompt STRING) WITH (%s, 'topic' = 'prompts',
                  'properties.group.id' = 'sql', 'scan.startup.mode' = 'earliest-offset')
                """
                        .formatted(kafka),
                """
                CREATE TABLE completions (id INT, completion STRING, error STRING,
                  prompt_tokens INT, completion_tokens INT) WITH (%s, 'topic' = 'completions',
                  'sink.delivery-guarantee' = 'exactly-once',
                  'sink.transactional-id-prefix' = 'sql',
                  'properties.transaction.timeout.ms' = '600000')
                """
                        .formatted(kafka),
                """
                CREATE MODEL intents INPUT (prompt STRING)
                  OUTPUT (completion STRING, error STRING, prompt_tokens INT, completion_tokens INT)
                  WITH ('provider' = 'layerskip', 'max-tokens' = '64')
                """,
                "SET 'parallelism.default' = '4'");
    }

    private void send(int from, int to) throws Exception {
        try (KafkaProducer<String, String> producer =
                new KafkaProducer<>(
                        Map.of("bootstrap.servers", broker.bootstrapServers()),
                        new StringSerializer(),
                        new StringSerializer())) {
            List<Future<?>> sent = new ArrayList<>();
            for (int id = from; id < to; id++) {
                String value =
                        JSON.createObjectNode()
                                .put("id", id)
                                .put("prompt", golden(id).prompt())
                                .toString();
                sent.add(
                        producer.send(
                                new ProducerRecord<>("prompts", id % PARTITIONS, null, value)));
            }
            for (Future<?> each : sent) {
                each.get();
            }
        }
    }

    private GoldenCase golden(int id) {
        return cases.get(id % cases.size());
    }

    private void assertCompleted(List<JsonNode> rows, int number) {
        assertThat(rows)
                .extracting(row -> row.path("id").asInt())
                .containsExactlyInAnyOrderElementsOf(IntStream.range(0, number).boxed().toList());
        assertThat(rows)
                .allSatisfy(
                        row -> {
                            GoldenCase golden = golden(row.path("id").asInt());
                            assertThat(row.path("completion").asText())
                                    .isEqualTo(golden.completion());
                            assertThat(row.path("error").isNull()).isTrue();
                            assertThat(row.path("prompt_tokens").asInt())
                                    .isEqualTo(golden.promptIds().size());
                            assertThat(row.path("completion_tokens").asInt())
                                    .isEqualTo(golden.completionIds().size());
                        });
    }

    /** The committed completions, as soon as there are so many. */
    private List<JsonNode> read(int number) throws Exception {
        List<JsonNode> rows = new ArrayList<>();
        Instant deadline = Instant.now().plus(DEADLINE);
        try (KafkaConsumer<String, String> consumer =
                new KafkaConsumer<>(
                        Map.of(
                                "bootstrap.servers",
                                broker.bootstrapServers(),
                                "isolation.level",
                                "read_committed"),
                        new StringDeserializer(),
                        new StringDeserializer())) {
            List<TopicPartition> partitions =
                    IntStream.range(0, PARTITIONS)
                            .mapToObj(partition -> new TopicPartition("completions", partition))
                            .toList();
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            while (rows.size() < number && Instant.now().isBefore(deadline)) {
                for (var completion : consumer.poll(Duration.ofMillis(100))) {
                    rows.add(JSON.readTree(completion.value()));
                }
            }
        }
        return rows;
    }
}
