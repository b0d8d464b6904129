package io.layerskip.tests;

import static io.layerskip.tests.TestJob.header;
import static io.layerskip.tests.TestJob.text;
import static io.layerskip.tests.TestJob.utf8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.layerskip.connectors.DeadLetterFormat;
import io.layerskip.connectors.RunTotals;
import io.layerskip.jobs.JobType;
import io.layerskip.local.EmbeddedBroker;
import io.layerskip.tests.cluster.GoldenCase;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.apache.flink.api.common.JobExecutionResult;
import org.apache.flink.api.common.JobStatus;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.testutils.MiniClusterResourceConfiguration;
import org.apache.flink.test.junit5.InjectMiniCluster;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Records of any kind, enriched: a real broker, a real Flink cluster, the bundled model. */
class EnrichmentJobITCase {

    private static final int PARALLELISM = 2;
    private static final long PATIENCE_SECONDS = 90;
    private static final ObjectMapper JSON = new ObjectMapper();

    @RegisterExtension
    private static final MiniClusterExtension CLUSTER =
            new MiniClusterExtension(
                    new MiniClusterResourceConfiguration.Builder()
                            .setNumberTaskManagers(PARALLELISM)
                            .setNumberSlotsPerTaskManager(1)
                            .build());

    private static EmbeddedBroker broker;

    private TestJob job;

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
        job = TestJob.create(broker, JobType.ENRICH, PARALLELISM);
    }

    @Test
    void aBoundedJobEnrichesWhatIsThereAndIsFinished() throws Exception {
        List<GoldenCase> cases = GoldenCase.all().subList(0, 40);
        List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
        for (int i = 0; i < cases.size(); i++) {
            records.add(job.record("key-" + i, message(i, cases.get(i))));
        }
        records.add(job.record("bad", "{\"text\": \"no message\"}"));
        job.topics.send(records);
        String group = "group-of-" + job.input;

        JobClient running =
                job.submit(
                        enriching(
                                Map.of(
                                        "kafka.source.group.id", group,
                                        "kafka.source.ending-offsets", "LATEST",
                                        "layerskip.output-field", "result.call")));
        job.topics.send(List.of(job.record("late", message(0, cases.get(0)))));
        RunTotals totals = RunTotals.of(await(running).getAllAccumulatorResults());

        assertThat(running.getJobStatus().get()).isEqualTo(JobStatus.FINISHED);
        List<ConsumerRecord<byte[], byte[]>> enriched = job.topics.readAll(List.of(job.output));
        assertThat(enriched).hasSize(cases.size());
        for (ConsumerRecord<byte[], byte[]> record : enriched) {
            int i = Integer.parseInt(text(record.key()).substring("key-".length()));
            assertThat(header(record, "trace")).isEqualTo("7");
            assertThat(text(record.value()))
                    .startsWith(message(i, cases.get(i)).replace("}", ",\"result\":{\"call\":"));
            assertThat(JSON.readTree(record.value()).at("/result/call").asText())
                    .isEqualTo(cases.get(i).completion());
        }
        List<ConsumerRecord<byte[], byte[]>> letters = job.topics.readAll(List.of(job.deadLetters));
        assertThat(letters).extracting(letter -> text(letter.key())).containsExactly("bad");
        assertThat(header(letters.get(0), DeadLetterFormat.ERROR_CLASS))
                .isEqualTo("INVALID_RECORD");
        assertThat(totals.records()).isEqualTo(cases.size());
        assertThat(totals.deadLetters()).isEqualTo(1);
        assertThat(totals.promptTokens())
                .isEqualTo(cases.stream().mapToLong(golden -> golden.promptIds().size()).sum());
        assertThat(totals.completionTokens())
                .isEqualTo(cases.stream().mapToLong(golden -> golden.completionIds().size()).sum());
        assertThat(job.topics.committedOffsets(group, cases.size() + 1))
                .isEqualTo(cases.size() + 1);
    }

    @Test
    void aCompletionThatIsJsonIsWrittenAsJson() throws Exception {
        GoldenCase golden = GoldenCase.all().get(0);
        job.topics.send(List.of(job.record("key", message(0, golden))));

        await(
                job.submit(
                        enriching(
                                Map.of(
                                        "kafka.source.ending-offsets", "LATEST",
                                        "layerskip.output-format", "JSON",
                                        "layerskip.usage-field", "usage",
                                        "layerskip.confidence-field", "sure"))));

        JsonNode enriched = JSON.readTree(job.topics.readAll(List.of(job.output)).get(0).value());
        assertThat(enriched.get("completion")).isEqualTo(JSON.readTree(golden.completion()));
        assertThat(enriched.at("/usage/prompt_tokens").asInt())
                .isEqualTo(golden.promptIds().size());
        assertThat(enriched.at("/sure/mean_probability").asDouble())
                .isBetween(enriched.at("/sure/least_probability").asDouble(), 1.0)
                .isGreaterThan(0.5);
    }

    @Test
    void aChatRendersSystemPromptAndTemplate(@TempDir Path model) throws Exception {
        GoldenCase golden = GoldenCase.all().get(0);
        TestJob.writeModel(
                model,
                "{{ bos_token }}{{ messages[0].content }}: {{ messages[1].content }}{{ '\\n' }}");
        String[] parts = golden.prompt().strip().split(": ", 2);
        job.topics.send(List.of(job.record("key", message(0, golden))));

        await(
                job.submit(
                        Map.of(
                                "kafka.source.ending-offsets", "LATEST",
                                "layerskip.model.path", model.toString(),
                                "layerskip.chat", "true",
                                "layerskip.system-prompt", parts[0],
                                "layerskip.prompt-template", "{{message}}")));

        assertThat(
                        JSON.readTree(job.topics.readAll(List.of(job.output)).get(0).value())
                                .get("completion")
                                .asText())
                .isEqualTo(golden.completion());
    }

    @Test
    void aModelWithoutChatTemplateIsRefusedWhereAChatIsAskedFor() {
        assertThatThrownBy(() -> job.build(enriching(Map.of("layerskip.chat", "true"))))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageContaining("option layerskip.model.path is")
                .hasMessageContaining("chat template");
    }

    @Test
    void anEmptyTopicIsFinishedAtOnce() throws Exception {
        RunTotals totals =
                RunTotals.of(
                        await(
                                        job.submit(
                                                enriching(
                                                        Map.of(
                                                                "kafka.source.ending-offsets",
                                                                "LATEST"))))
                                .getAllAccumulatorResults());

        assertThat(totals.done()).isZero();
    }

    @ParameterizedTest
    @CsvSource({"EARLIEST, +2, 0 1", "+2, LATEST, 2 3 4", "+1.5, +3.5, 2 3"})
    void aRangeOfTimesIsRead(String from, String to, String expected) throws Exception {
        Instant start = Instant.now().minusSeconds(600);
        List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            records.add(
                    new ProducerRecord<>(
                            job.input,
                            0,
                            start.plusSeconds(i).toEpochMilli(),
                            utf8(Integer.toString(i)),
                            utf8("{\"message\": \"Hi\"}")));
        }
        job.topics.send(records);

        await(
                job.submit(
                        enriching(
                                Map.of(
                                        "kafka.source.starting-offsets", position(from, start),
                                        "kafka.source.ending-offsets", position(to, start),
                                        "layerskip.max-tokens", "1"))));

        assertThat(job.topics.readAll(List.of(job.output)))
                .extracting(record -> text(record.key()))
                .containsExactlyInAnyOrder(expected.split(" "));
    }

    @Test
    void whatTheGroupHasReadCanBeReadAgain() throws Exception {
        job.topics.send(List.of(job.record("first", "{\"message\": \"Hi\"}")));
        Map<String, String> options =
                Map.of(
                        "kafka.source.group.id",
                        "group-of-" + job.input,
                        "layerskip.max-tokens",
                        "1");
        await(job.submit(enriching(with(options, "kafka.source.ending-offsets", "LATEST"))));
        assertThat(job.topics.committedOffsets("group-of-" + job.input, 1)).isEqualTo(1);
        job.topics.send(List.of(job.record("second", "{\"message\": \"Hi\"}")));

        await(
                job.submit(
                        enriching(
                                with(
                                        with(options, "kafka.source.starting-offsets", "EARLIEST"),
                                        "kafka.source.ending-offsets",
                                        "COMMITTED"))));

        assertThat(job.topics.readAll(List.of(job.output)))
                .extracting(record -> text(record.key()))
                .containsExactly("first", "first");
    }

    @Test
    void whenATaskManagerDiesHalfwayABoundedJobStillEndsWithEachRecordOnce(
            @InjectMiniCluster MiniCluster cluster) throws Exception {
        List<GoldenCase> cases = GoldenCase.all();
        Map<String, GoldenCase> goldenById = new HashMap<>();
        Set<String> badIds = new HashSet<>();
        List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
        for (int i = 0; i < 600; i++) {
            String id = "id-" + i;
            if (i % 10 == 5) {
                badIds.add(id);
                records.add(job.record(id, "[]"));
            } else {
                goldenById.put(id, cases.get(i % cases.size()));
                records.add(job.record(id, message(i, cases.get(i % cases.size()))));
            }
        }
        job.topics.send(records);

        JobClient running = job.submit(enriching(Map.of("kafka.source.ending-offsets", "LATEST")));
        job.topics.read(List.of(job.output, job.deadLetters), read -> read.size() >= 200);
        cluster.terminateTaskManager(0).get();
        cluster.startTaskManager();
        RunTotals totals = RunTotals.of(await(running).getAllAccumulatorResults());

        List<ConsumerRecord<byte[], byte[]>> written = job.topics.readAll(List.of(job.output));
        assertThat(written)
                .extracting(record -> text(record.key()))
                .containsExactlyInAnyOrderElementsOf(goldenById.keySet());
        for (ConsumerRecord<byte[], byte[]> record : written) {
            assertThat(JSON.readTree(record.value()).get("completion").asText())
                    .isEqualTo(goldenById.get(text(record.key())).completion());
        }
        assertThat(job.topics.readAll(List.of(job.deadLetters)))
                .extracting(record -> text(record.key()))
                .containsExactlyInAnyOrderElementsOf(badIds);
        assertThat(totals.records()).isEqualTo(goldenById.size());
        assertThat(totals.deadLetters()).isEqualTo(badIds.size());
    }

    @Test
    void aPartitionThatIsAddedWhileTheJobRunsLosesNothingAndKeepsItsOrder() throws Exception {
        List<ProducerRecord<byte[], byte[]>> first = new ArrayList<>();
        List<ProducerRecord<byte[], byte[]>> later = new ArrayList<>();
        for (int i = 0; i < 60; i++) {
            (i < 30 ? first : later)
                    .add(
                            new ProducerRecord<>(
                                    job.input,
                                    i < 30 ? i % PARALLELISM : i % (PARALLELISM + 1),
                                    utf8(Integer.toString(i)),
                                    utf8("{\"message\": \"Hi\", \"i\": " + i + "}")));
        }
        job.topics.send(first);

        JobClient running =
                job.submit(
                        enriching(
                                Map.of(
                                        "kafka.source.topics", "",
                                        "kafka.source.topic-pattern", job.input + ".*",
                                        "kafka.source.partition.discovery.interval.ms", "200",
                                        "layerskip.output-order", "ORDERED",
                                        "layerskip.max-tokens", "2")));
        try {
            job.topics.read(List.of(job.output), read -> read.size() >= first.size());
            try (Admin admin =
                    Admin.create(Map.of("bootstrap.servers", broker.bootstrapServers()))) {
                admin.createPartitions(Map.of(job.input, NewPartitions.increaseTo(PARALLELISM + 1)))
                        .all()
                        .get();
            }
            String added = job.input + "-added";
            broker.createTopics(1, added);
            job.topics.send(later);
            job.topics.send(
                    List.of(
                            new ProducerRecord<>(
                                    added, utf8("60"), utf8("{\"message\": \"Hi\"}"))));
            job.topics.read(List.of(job.output), read -> read.size() >= 61);
        } finally {
            running.cancel().get();
        }

        List<ConsumerRecord<byte[], byte[]>> written = job.topics.readAll(List.of(job.output));
        assertThat(written).hasSize(61);
        Map<Integer, List<Integer>> ofSources = new HashMap<>();
        for (ConsumerRecord<byte[], byte[]> record : written) {
            int i = Integer.parseInt(text(record.key()));
            if (i >= 30 && i < 60) {
                ofSources
                        .computeIfAbsent(
                                i % (PARALLELISM + 1) * PARALLELISM + record.partition(),
                                k -> new ArrayList<>())
                        .add(i);
            }
        }
        assertThat(ofSources.values()).allSatisfy(order -> assertThat(order).isSorted());
    }

    @Test
    void atLeastOnceWritesWithoutWaitingForACheckpoint() throws Exception {
        job.topics.send(List.of(job.record("key", "{\"message\": \"Hi\"}")));

        JobClient running =
                job.submit(
                        enriching(
                                Map.of(
                                        "kafka.sink.delivery-guarantee", "AT_LEAST_ONCE",
                                        "execution.checkpointing.interval", "1 h")));
        try {
            assertThat(job.topics.read(List.of(job.output), read -> !read.isEmpty())).hasSize(1);
        } finally {
            running.cancel().get();
        }
    }

    @Test
    void aPatternThatNoTopicMatchesIsRefused() {
        assertThatThrownBy(
                        () ->
                                job.build(
                                        enriching(
                                                Map.of(
                                                        "kafka.source.topics", "",
                                                        "kafka.source.topic-pattern", "none"))))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageContaining(
                        "option kafka.source.topic-pattern is none, which no topic matches");
    }

    @Test
    void recordsTextsAreNoSpecialTokens() {
        assertThatThrownBy(
                        () ->
                                job.build(
                                        enriching(
                                                Map.of("layerskip.split-special-tokens", "false"))))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageContaining("option layerskip.split-special-tokens is false");
    }

    /** A position as it is, or so many seconds after the start. */
    private static String position(String text, Instant start) {
        return text.startsWith("+")
                ? start.plusMillis((long) (1000 * Double.parseDouble(text))).toString()
                : text;
    }

    private static JobExecutionResult await(JobClient running) throws Exception {
        return running.getJobExecutionResult().get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    }

    private static Map<String, String> enriching(Map<String, String> changes) {
        return with(changes, "layerskip.prompt-template", "{{dataset|banking}}: {{message}}\n");
    }

    private static Map<String, String> with(
            Map<String, String> options, String option, String value) {
        Map<String, String> all = new HashMap<>(options);
        all.put(option, value);
        return all;
    }

    /** A golden prompt as a record: the data set's name is the part before the colon. */
    private static String message(int id, GoldenCase golden) {
        String[] parts = golden.prompt().strip().split(": ", 2);
        return JSON.createObjectNode()
                .put("id", id)
                .put("dataset", parts[0])
                .put("message", parts[1])
                .toString();
    }
}
