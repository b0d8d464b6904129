package io.layerskip.tests;

import static io.layerskip.tests.TestJob.header;
import static io.layerskip.tests.TestJob.text;
import static io.layerskip.tests.TestJob.utf8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.layerskip.connectors.DeadLetterFormat;
import io.layerskip.jobs.JobType;
import io.layerskip.local.EmbeddedBroker;
import io.layerskip.tests.cluster.GoldenCase;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.flink.api.common.JobStatus;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.ExternalizedCheckpointRetention;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.StateRecoveryOptions;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.testutils.MiniClusterResourceConfiguration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.test.junit5.InjectMiniCluster;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** The job that users run: a real broker, a real Flink cluster, the bundled model. */
class GenerationJobITCase {

    private static final int PARALLELISM = 2;
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
    private KafkaTopics topics;
    private String prompts;
    private String completions;
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
        job = TestJob.create(broker, JobType.GENERATE, PARALLELISM);
        prompts = job.input;
        completions = job.output;
        deadLetters = job.deadLetters;
        topics = job.topics;
    }

    @Test
    void aPromptBecomesACompletionWithItsKeyHeadersAndMetadata() throws Exception {
        GoldenCase golden = GoldenCase.all().get(0);
        ObjectNode request = request("a", golden);
        request.putObject("metadata").put("customer", 7);
        topics.send(List.of(job.record("key", request.toString())));

        ConsumerRecord<byte[], byte[]> completion =
                runUntilOneIn(completions, Map.of("layerskip.num-assistant-tokens", "5"));

        assertThat(text(completion.key())).isEqualTo("key");
        assertThat(header(completion, "trace")).isEqualTo("7");
        JsonNode value = JSON.readTree(completion.value());
        assertThat(value.path("id").asText()).isEqualTo("a");
        assertThat(value.path("object").asText()).isEqualTo("text_completion");
        assertThat(value.path("model").asText()).isEqualTo("layerskip-intents-9M");
        assertThat(value.path("metadata").path("customer").asInt()).isEqualTo(7);
        JsonNode choice = value.path("choices").path(0);
        assertThat(choice.path("text").asText()).isEqualTo(golden.completion());
        assertThat(choice.path("finish_reason").asText()).isEqualTo("stop");
        JsonNode usage = value.path("usage");
        assertThat(usage.path("prompt_tokens").asInt()).isEqualTo(golden.promptIds().size());
        assertThat(usage.path("completion_tokens").asInt())
                .isEqualTo(golden.completionIds().size());
        assertThat(
                        usage.path("completion_tokens_details")
                                .path("accepted_prediction_tokens")
                                .asInt())
                .isPositive();
    }

    @Test
    void aPromptLongerThanTheContextIsADeadLetter() throws Exception {
        String value = JSON.createObjectNode().put("prompt", "word ".repeat(2_000)).toString();
        topics.send(List.of(job.record("key", value)));

        ConsumerRecord<byte[], byte[]> letter = runUntilOneIn(deadLetters, Map.of());

        assertThat(text(letter.value())).isEqualTo(value);
        assertThat(header(letter, DeadLetterFormat.ERROR_CLASS)).isEqualTo("PROMPT_TOO_LONG");
        assertThat(header(letter, DeadLetterFormat.ERROR_MESSAGE)).contains("at most 511");
    }

    @Test
    void aChatIsAnsweredWithTheModelsChatTemplate(@TempDir Path model) throws Exception {
        TestJob.writeModel(model, "{{ bos_token }}{{ messages[0].content }}");
        GoldenCase golden = GoldenCase.all().get(0);
        topics.send(List.of(job.record("key", chat(golden.prompt()).toString())));

        JsonNode value =
                JSON.readTree(
                        runUntilOneIn(completions, Map.of("layerskip.model.path", model.toString()))
                                .value());

        assertThat(value.path("object").asText()).isEqualTo("chat.completion");
        assertThat(value.at("/choices/0/message/role").asText()).isEqualTo("assistant");
        assertThat(value.at("/choices/0/message/content").asText()).isEqualTo(golden.completion());
        assertThat(value.at("/usage/prompt_tokens").asInt()).isEqualTo(golden.promptIds().size());
    }

    @Test
    void aChatIsADeadLetterWhereTheModelHasNoChatTemplate() throws Exception {
        String value = chat("Hi").toString();
        topics.send(List.of(job.record("key", value)));

        ConsumerRecord<byte[], byte[]> letter = runUntilOneIn(deadLetters, Map.of());

        assertThat(text(letter.value())).isEqualTo(value);
        assertThat(header(letter, DeadLetterFormat.ERROR_CLASS)).isEqualTo("INVALID_REQUEST");
        assertThat(header(letter, DeadLetterFormat.ERROR_MESSAGE)).contains("no chat template");
    }

    private static ObjectNode chat(String content) {
        ObjectNode request = JSON.createObjectNode();
        request.putArray("messages").addObject().put("role", "user").put("content", content);
        return request;
    }

    @Test
    void aPromptThatTakesTooLongIsADeadLetterWithWhatWasWritten() throws Exception {
        String value =
                request("slow", GoldenCase.all().get(0))
                        .put("ignore_eos", true)
                        .put("max_tokens", 400)
                        .toString();
        topics.send(List.of(job.record("key", value)));

        ConsumerRecord<byte[], byte[]> letter =
                runUntilOneIn(deadLetters, Map.of("layerskip.request-timeout", "50 ms"));

        assertThat(text(letter.value())).isEqualTo(value);
        assertThat(header(letter, DeadLetterFormat.ERROR_CLASS)).isEqualTo("TIMEOUT");
    }

    @Test
    void aBadRecordIsADeadLetterWithItsBytesAndHeaders() throws Exception {
        byte[] latin1 = "{\"prompt\": \"caf\u00e9\"}".getBytes(StandardCharsets.ISO_8859_1);
        topics.send(
                List.of(
                        new ProducerRecord<>(
                                prompts,
                                1,
                                utf8("key"),
                                latin1,
                                List.of(
                                        new RecordHeader("trace", utf8("7")),
                                        new RecordHeader("trace", null)))));

        ConsumerRecord<byte[], byte[]> letter = runUntilOneIn(deadLetters, Map.of());

        assertThat(text(letter.key())).isEqualTo("key");
        assertThat(letter.value()).isEqualTo(latin1);
        assertThat(letter.headers().headers("trace"))
                .extracting(Header::value)
                .containsExactly(utf8("7"), null);
        assertThat(header(letter, DeadLetterFormat.ERROR_CLASS)).isEqualTo("INVALID_UTF8");
        assertThat(header(letter, DeadLetterFormat.ERROR_MESSAGE)).contains("not UTF-8");
        assertThat(header(letter, DeadLetterFormat.SOURCE_TOPIC)).isEqualTo(prompts);
        assertThat(header(letter, DeadLetterFormat.SOURCE_PARTITION)).isEqualTo("1");
        assertThat(header(letter, DeadLetterFormat.SOURCE_OFFSET)).isEqualTo("0");
    }

    @Test
    void aRecordWithoutKeyAndValueIsADeadLetterWithoutThem() throws Exception {
        topics.send(List.of(new ProducerRecord<>(prompts, null, null)));

        ConsumerRecord<byte[], byte[]> letter = runUntilOneIn(deadLetters, Map.of());

        assertThat(letter.key()).isNull();
        assertThat(letter.value()).isNull();
        assertThat(header(letter, DeadLetterFormat.ERROR_CLASS)).isEqualTo("NULL_VALUE");
    }

    @Test
    void aRecordOfFiveMegabytesIsAWholeDeadLetter() throws Exception {
        byte[] large = utf8("{\"prompt\": \"" + "x".repeat(5_000_000) + "\"}");
        topics.send(List.of(new ProducerRecord<>(prompts, utf8("key"), large)));

        ConsumerRecord<byte[], byte[]> letter = runUntilOneIn(deadLetters, Map.of());

        assertThat(letter.value()).isEqualTo(large);
        assertThat(header(letter, DeadLetterFormat.ERROR_CLASS)).isEqualTo("VALUE_TOO_LARGE");
    }

    @Test
    void aRecordThatTheDeadLettersTopicDoesNotTakeGoesThereWithoutItsValue() throws Exception {
        String small = "small-" + deadLetters;
        broker.createTopic(small, 1, Map.of("max.message.bytes", "1000000"));
        topics.send(List.of(new ProducerRecord<>(prompts, utf8("key"), new byte[5_000_000])));

        ConsumerRecord<byte[], byte[]> letter =
                runUntilOneIn(small, Map.of("kafka.dead-letters.topic", small));

        assertThat(text(letter.key())).isEqualTo("key");
        assertThat(letter.value()).isNull();
        assertThat(header(letter, DeadLetterFormat.OMITTED_VALUE)).isEqualTo("5000000");
    }

    @Test
    void whenTaskManagersDieTwiceEveryRequestHasStillLeftExactlyOnce(
            @InjectMiniCluster MiniCluster cluster) throws Exception {
        List<GoldenCase> cases = GoldenCase.all();
        Map<String, GoldenCase> goldenById = new HashMap<>();
        Set<String> badIds = new HashSet<>();
        List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
        for (int i = 0; i < 600; i++) {
            String id = "id-" + i;
            if (i % 10 == 5) {
                badIds.add(id);
                records.add(job.record(id, "no JSON"));
            } else {
                GoldenCase golden = cases.get(i % cases.size());
                goldenById.put(id, golden);
                records.add(job.record(id, request(id, golden).toString()));
            }
        }
        List<String> out = List.of(completions, deadLetters);
        topics.send(records.subList(0, 200));

        JobClient running = job.submit(Map.of());
        try {
            for (int failure = 1; failure <= 2; failure++) {
                int before = 200 * failure;
                topics.read(out, read -> read.size() >= before);
                // These are on their way when the task manager dies.
                topics.send(records.subList(before, before + 200));
                cluster.terminateTaskManager(failure - 1).get();
                cluster.startTaskManager();
            }
            topics.read(out, read -> read.size() >= 600);
            assertThat(running.getJobStatus().get()).isEqualTo(JobStatus.RUNNING);
        } finally {
            running.cancel().get();
        }

        List<ConsumerRecord<byte[], byte[]>> written = topics.readAll(List.of(completions));
        assertThat(written)
                .extracting(record -> text(record.key()))
                .containsExactlyInAnyOrderElementsOf(goldenById.keySet());
        for (ConsumerRecord<byte[], byte[]> record : written) {
            assertThat(JSON.readTree(record.value()).at("/choices/0/text").asText())
                    .isEqualTo(goldenById.get(text(record.key())).completion());
        }
        assertThat(topics.readAll(List.of(deadLetters)))
                .extracting(record -> text(record.key()))
                .containsExactlyInAnyOrderElementsOf(badIds);
    }

    @Test
    void latestIsWhereTheTopicsEndWhenTheJobIsBuilt() throws Exception {
        topics.send(List.of(job.record("before", "{\"prompt\": \"Hi\"}")));
        StreamExecutionEnvironment env = job.environment();
        job.build(env, Map.of("kafka.source.starting-offsets", "LATEST"));
        topics.send(List.of(job.record("after", "{\"prompt\": \"Hi\"}")));

        JobClient running = env.executeAsync();
        try {
            assertThat(topics.read(List.of(completions), read -> !read.isEmpty()))
                    .extracting(record -> text(record.key()))
                    .containsExactly("after");
        } finally {
            running.cancel().get();
        }
    }

    @Test
    void theGroupsOffsetsAreCommittedOnCheckpoints() throws Exception {
        String group = "group-of-" + prompts;
        topics.send(List.of(job.record("key", "{\"prompt\": \"Hi\"}")));

        JobClient running = job.submit(Map.of("kafka.source.group.id", group));
        try {
            assertThat(topics.committedOffsets(group, 1)).isEqualTo(1);
        } finally {
            running.cancel().get();
        }
    }

    @Test
    void theLastCheckpointIsKeptWhenTheJobFailsForGood() {
        StreamExecutionEnvironment env = job.environment();

        job.build(env, Map.of());

        assertThat(env.getCheckpointConfig().getExternalizedCheckpointRetention())
                .isEqualTo(ExternalizedCheckpointRetention.DELETE_ON_CANCELLATION);
    }

    @Test
    void optionsOfTheEnvironmentCountToo() {
        StreamExecutionEnvironment env = job.environment();
        env.configure(Configuration.fromMap(Map.of("layerskip.top-k", "-1")));

        assertThatThrownBy(() -> job.build(env, Map.of()))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageContaining("option layerskip.top-k is -1");
    }

    @Test
    void theProgramsOptionsOverruleThoseOfTheEnvironment() {
        StreamExecutionEnvironment env = job.environment();
        env.configure(Configuration.fromMap(Map.of("layerskip.top-k", "-1")));

        assertThatCode(() -> job.build(env, Map.of("layerskip.top-k", "5")))
                .doesNotThrowAnyException();
    }

    @Test
    void aSourceTopicThatDoesNotExistIsRefused() {
        assertThatThrownBy(() -> job.build(Map.of("kafka.source.topics", prompts + ",missing")))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageContaining("option kafka.source.topics names missing, which does not");
    }

    @Test
    void aDeadLettersTopicThatDoesNotExistIsRefused() {
        assertThatThrownBy(() -> job.build(Map.of("kafka.dead-letters.topic", "missing")))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageContaining("option kafka.dead-letters.topic names missing, which does");
    }

    @Test
    void aCompactedSinkTopicIsRefused() throws Exception {
        String compacted = "compacted-" + completions;
        broker.createTopic(compacted, 1, Map.of("cleanup.policy", "compact,delete"));

        assertThatThrownBy(() -> job.build(Map.of("kafka.sink.topic", compacted)))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageContaining("option kafka.sink.topic is " + compacted)
                .hasMessageContaining("cleanup.policy");
    }

    @Test
    void aDeadLettersTopicThatHasNoRoomForTheReasonIsRefused() throws Exception {
        String small = "small-" + deadLetters;
        broker.createTopic(small, 1, Map.of("max.message.bytes", "8191"));

        assertThatThrownBy(() -> job.build(Map.of("kafka.dead-letters.topic", small)))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageContaining("option kafka.dead-letters.topic is " + small)
                .hasMessageContaining("max.message.bytes of at least 8192");
    }

    @Test
    void aTransactionTimeoutAboveTheBrokersIsRefused() {
        assertThatThrownBy(() -> job.build(Map.of("kafka.sink.transaction.timeout.ms", "16 min")))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessage(
                        "option kafka.sink.transaction.timeout.ms is 960000 ms; allowed: at most"
                                + " the broker's transaction.max.timeout.ms, 900000 ms");
    }

    @Test
    void aTransactionTimeoutBelowThatOfCheckpointsIsRefused() {
        assertThatThrownBy(() -> job.build(Map.of("kafka.sink.transaction.timeout.ms", "9 min")))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessage(
                        "option kafka.sink.transaction.timeout.ms is 540000 ms; allowed: a time of"
                                + " which 95 % is more than execution.checkpointing.interval (or"
                                + " execution.checkpointing.min-pause, if that is longer) and"
                                + " execution.checkpointing.timeout together, 600200 ms");
    }

    @Test
    void requestsInFlightStartOverWithTheModelThatAJobIsResumedWith(
            @TempDir Path other, @TempDir Path savepoints) throws Exception {
        TestJob.writeOtherModel(other);
        int requests = 20;
        Map<String, String> plain = new HashMap<>(Map.of("layerskip.num-assistant-tokens", "0"));
        topics.send(List.of(job.record("key", longRequest("first", 3).toString())));
        for (int i = 0; i < requests; i++) {
            topics.send(List.of(job.record("key", longRequest("before-" + i, 400).toString())));
        }
        JobClient running = job.submit(plain);
        assertThat(topics.read(List.of(completions), read -> !read.isEmpty())).isNotEmpty();
        String savepoint =
                running.stopWithSavepoint(
                                false, savepoints.toString(), SavepointFormatType.CANONICAL)
                        .get();

        StreamExecutionEnvironment env = job.environment();
        env.configure(new Configuration().set(StateRecoveryOptions.SAVEPOINT_PATH, savepoint));
        plain.put("layerskip.model.path", other.toString());
        job.build(env, plain);
        running = env.executeAsync();
        topics.send(List.of(job.record("key", longRequest("after", 400).toString())));
        try {
            Map<String, JsonNode> byId = new HashMap<>();
            for (ConsumerRecord<byte[], byte[]> record :
                    topics.read(List.of(completions), read -> read.size() == requests + 2)) {
                JsonNode completion = JSON.readTree(record.value());
                assertThat(byId.put(completion.path("id").asText(), completion)).isNull();
            }
            assertThat(byId).hasSize(requests + 2);
            JsonNode old = byId.get("first");
            JsonNode after = byId.get("after");
            assertThat(after.path("system_fingerprint"))
                    .isNotEqualTo(old.path("system_fingerprint"));
            assertThat(start(after)).isNotEmpty().doesNotStartWith(start(old));
            List<JsonNode> startedOver =
                    byId.values().stream()
                            .filter(
                                    completion ->
                                            completion.path("id").asText().startsWith("before"))
                            .filter(
                                    completion ->
                                            completion
                                                    .path("system_fingerprint")
                                                    .equals(after.path("system_fingerprint")))
                            .toList();
            assertThat(startedOver)
                    .isNotEmpty()
                    .allSatisfy(
                            completion -> assertThat(start(completion)).isEqualTo(start(after)));
        } finally {
            running.cancel().get();
        }
    }

    /** The first words of a completion. */
    private static String start(JsonNode completion) {
        String text = completion.path("choices").path(0).path("text").asText();
        return text.substring(0, Math.min(10, text.length()));
    }

    private static ObjectNode longRequest(String id, int tokens) throws IOException {
        return request(id, GoldenCase.all().get(0))
                .put("max_tokens", tokens)
                .put("ignore_eos", true);
    }

    @Test
    void aHostThatDoesNotExistIsRefused() {
        assertThatThrownBy(
                        () -> job.build(Map.of("kafka.bootstrap.servers", "nowhere.invalid:9092")))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageContaining("option kafka.bootstrap.servers is nowhere.invalid:9092: ");
    }

    /** The first committed record of a topic, from a job that runs until there is one. */
    private ConsumerRecord<byte[], byte[]> runUntilOneIn(String topic, Map<String, String> changes)
            throws Exception {
        JobClient running = job.submit(changes);
        try {
            List<ConsumerRecord<byte[], byte[]>> records =
                    topics.read(List.of(topic), read -> !read.isEmpty());
            assertThat(records).hasSize(1);
            return records.get(0);
        } finally {
            running.cancel().get();
        }
    }

    private static ObjectNode request(String id, GoldenCase golden) {
        return JSON.createObjectNode().put("id", id).put("prompt", golden.prompt());
    }
}
