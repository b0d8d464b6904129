package io.layerskip.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.layerskip.connectors.DeadLetterFormat;
import io.layerskip.connectors.DeadLetterReplay;
import io.layerskip.connectors.DeadLetterSelection;
import io.layerskip.local.EmbeddedBroker;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.flink.configuration.Configuration;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Dead letters put back between topics of a real broker, as a shell does it. */
class ReplayCommandTest {

    private static final int PARTITIONS = 2;
    private static final Duration OFFSETS_RETENTION = Duration.ofDays(7);
    private static final long NOW = System.currentTimeMillis();
    private static final long MINUTE = 60_000;

    private static EmbeddedBroker broker;
    private static KafkaProducer<byte[], byte[]> producer;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private String prompts;
    private String deadLetters;
    private String group;

    @BeforeAll
    static void start() throws IOException {
        broker =
                EmbeddedBroker.start(
                        Map.of(
                                "offsets.retention.minutes",
                                Long.toString(OFFSETS_RETENTION.toMinutes())));
        producer =
                new KafkaProducer<>(
                        Map.of("bootstrap.servers", broker.bootstrapServers()),
                        new ByteArraySerializer(),
                        new ByteArraySerializer());
    }

    @AfterAll
    static void stop() {
        producer.close();
        broker.close();
    }

    @BeforeEach
    void createTopics() throws IOException {
        String test = UUID.randomUUID().toString();
        prompts = "prompts-" + test;
        deadLetters = "dead-letters-" + test;
        group = "replay-" + test;
        broker.createTopics(PARTITIONS, prompts, deadLetters);
    }

    @Test
    void aRecordIsPutBackAsItCame() throws Exception {
        List<Header> own =
                List.of(
                        header("trace", "7"),
                        new RecordHeader("none", (byte[]) null),
                        header("trace", "8"));
        byte[] value = {(byte) 0xff, 0, (byte) 0xfe};
        send(letter("TIMEOUT", NOW).from(1, 42).at(NOW - MINUTE).key("k").value(value).own(own));
        send(letter("TIMEOUT", NOW).from(1, 43).at(NOW - MINUTE));
        send(letter("TIMEOUT", NOW).from(0, 44).at(NOW - MINUTE).withoutValue().key("k"));

        assertThat(replay()).as(this::printed).isZero();

        ConsumerRecord<byte[], byte[]> record = only(read(prompts), 1, 0);
        assertThat(record.value()).isEqualTo(value);
        assertThat(record.key()).isEqualTo(utf8("k"));
        assertThat(record.timestamp()).isEqualTo(NOW - MINUTE);
        assertThat(record.headers().toArray())
                .containsExactly(
                        Stream.concat(own.stream(), Stream.of(header(DeadLetterFormat.TRIES, "1")))
                                .toArray(Header[]::new));
        assertThat(only(read(prompts), 1, 1).key()).isNull();
        assertThat(only(read(prompts), 0, 0).value()).isNull();
    }

    @Test
    void reasonsArePutBackOneAfterTheOther() throws Exception {
        for (int i = 0; i < 30; i++) {
            send(letter(i % 3 == 0 ? "TIMEOUT" : "INTERNAL_ERROR", NOW).value("v" + i));
        }

        assertThat(replay("--reason", "timeout")).as(this::printed).isZero();
        assertThat(values(prompts)).containsExactlyInAnyOrderElementsOf(everyThird(0));
        assertThat(printed()).containsPattern("TIMEOUT +10 +0 +0 +0 .* 0: 10\n");
        assertThat(printed()).containsPattern("INTERNAL_ERROR +0 +0 +20 +0 ");

        assertThat(replay()).as(this::printed).isZero();
        assertThat(printed()).containsPattern("TIMEOUT +0 +10 +0 +0 ");
        assertThat(values(prompts))
                .containsExactlyInAnyOrderElementsOf(
                        IntStream.range(0, 30).mapToObj(i -> "v" + i).toList());

        assertThat(replay()).as(this::printed).isZero();
        assertThat(values(prompts)).hasSize(30);
    }

    private static List<String> everyThird(int first) {
        return IntStream.range(0, 10).mapToObj(i -> "v" + (first + 3 * i)).toList();
    }

    @Test
    void aStretchOfTimeIsPutBackAndLaterTheRest() throws Exception {
        for (int i = 0; i < 10; i++) {
            send(letter("TIMEOUT", NOW - (10 - i) * MINUTE).value("v" + i).key("k"));
        }
        String since = Instant.ofEpochMilli(NOW - 7 * MINUTE).toString();
        String until = Long.toString(NOW - 4 * MINUTE);

        assertThat(replay("--since", since, "--until", until)).as(this::printed).isZero();
        assertThat(values(prompts)).containsExactly("v3", "v4", "v5");

        assertThat(replay()).as(this::printed).isZero();
        assertThat(values(prompts).subList(3, 10))
                .containsExactly("v0", "v1", "v2", "v6", "v7", "v8", "v9");
    }

    @Test
    void aDryRunShowsWhatWouldBePutBackAndChangesNothing() throws Exception {
        send(letter("TIMEOUT", NOW - 2 * MINUTE).own(List.of(header("layerskip.tries", "3"))));
        send(letter("TIMEOUT", NOW - MINUTE));
        send(letter("INTERNAL_ERROR", NOW));

        assertThat(replay("--dry-run", "--reason=TIMEOUT")).as(this::printed).isZero();

        assertThat(printed())
                .containsPattern(
                        "TIMEOUT +2 +0 +0 +0 +%s +%s +0: 1, 3: 1\n"
                                .formatted(
                                        Instant.ofEpochMilli(NOW - 2 * MINUTE),
                                        Instant.ofEpochMilli(NOW - MINUTE)))
                .containsPattern("INTERNAL_ERROR +0 +0 +1 +0 ");
        assertThat(read(prompts)).isEmpty();
        assertThat(committed()).isEmpty();
    }

    @Test
    void aRunThatIsKilledLosesAndDoublesNothing() throws Exception {
        int letters = 20_000;
        sendAll(
                IntStream.range(0, letters)
                        .mapToObj(i -> letter("TIMEOUT", NOW).value("v" + i).record())
                        .toList());
        Process process =
                new ProcessBuilder(
                                Stream.concat(
                                                Stream.of(
                                                        Path.of(
                                                                        System.getProperty(
                                                                                "java.home"),
                                                                        "bin",
                                                                        "java")
                                                                .toString(),
                                                        "-XX:TieredStopAtLevel=1",
                                                        "-cp",
                                                        System.getProperty(
                                                                "surefire.test.class.path",
                                                                System.getProperty(
                                                                        "java.class.path")),
                                                        Main.class.getName()),
                                                Stream.of(arguments()))
                                        .toList())
                        .redirectErrorStream(true)
                        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                        .start();
        try {
            long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
            while (ends(prompts, "read_uncommitted") == 0
                    && process.isAlive()
                    && System.nanoTime() < deadline) {
                Thread.onSpinWait();
            }
        } finally {
            process.destroyForcibly().waitFor();
        }
        assertThat(readCommitted(prompts)).as("put back by then").hasSizeLessThan(letters);

        assertThat(replay()).as(this::printed).isZero();

        List<String> values = values(prompts);
        assertThat(values).hasSize(letters);
        assertThat(new HashSet<>(values)).hasSize(letters);
    }

    @Test
    void ofTwoRunsAtOnceTheLaterOneGoesOn() throws Exception {
        int letters = 1_200;
        sendAll(
                IntStream.range(0, letters)
                        .mapToObj(i -> letter("TIMEOUT", NOW).value("v" + i).record())
                        .toList());
        DeadLetterReplay first = connect();
        DeadLetterReplay second = connect();
        List<Long> putBack = new ArrayList<>();

        assertThatThrownBy(
                        () ->
                                first.run(
                                        (passed, all) -> {
                                            if (putBack.isEmpty()) {
                                                putBack.add(putBack(second));
                                            }
                                        }))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("another replay from " + deadLetters);

        assertThat(putBack.get(0)).as("by the second").isPositive();
        List<String> values = values(prompts);
        assertThat(values).hasSize(letters);
        assertThat(new HashSet<>(values)).hasSize(letters);
    }

    private DeadLetterReplay connect() {
        return DeadLetterReplay.connect(
                Configuration.fromMap(
                        Map.of(
                                "kafka.bootstrap.servers",
                                broker.bootstrapServers(),
                                "kafka.dead-letters.topic",
                                deadLetters,
                                "kafka.source.topics",
                                prompts,
                                // Several rounds, so that there is a middle.
                                "kafka.source.max.poll.records",
                                "100")),
                group,
                DeadLetterSelection.all());
    }

    private static long putBack(DeadLetterReplay replay) {
        try {
            return replay.run((passed, all) -> {}).putBack();
        } catch (IOException | InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void triesGrowThroughTheJob() throws Exception {
        String enriched = "enriched-" + UUID.randomUUID();
        broker.createTopics(1, enriched);
        send(new ProducerRecord<>(prompts, 1, utf8("k"), utf8("{\"text\": \"no message\"}")));
        runJob(enriched);
        assertThat(replay("--reason=INVALID_RECORD")).as(this::printed).isZero();

        runJob(enriched);

        List<ConsumerRecord<byte[], byte[]>> letters = read(deadLetters);
        assertThat(letters).hasSize(2);
        ConsumerRecord<byte[], byte[]> latest = letters.get(1);
        assertThat(latest.headers().headers(DeadLetterFormat.TRIES))
                .containsExactly(header(DeadLetterFormat.TRIES, "1"));
        assertThat(latest.headers().headers(DeadLetterFormat.ERROR_CLASS)).hasSize(1);
        assertThat(latest.headers().lastHeader(DeadLetterFormat.SOURCE_TIMESTAMP).value())
                .isEqualTo(utf8(Long.toString(read(prompts).get(0).timestamp())));

        assertThat(replay("--max-tries=1")).as(this::printed).isZero();
        assertThat(printed()).containsPattern("INVALID_RECORD +0 +1 +1 +0 ");
        assertThat(replay()).as(this::printed).isZero();
        List<ConsumerRecord<byte[], byte[]>> putBack = read(prompts);
        assertThat(putBack).hasSize(3).allMatch(record -> record.partition() == 1);
        assertThat(putBack.get(2).headers().headers(DeadLetterFormat.TRIES))
                .containsExactly(header(DeadLetterFormat.TRIES, "2"));
    }

    private void runJob(String enriched) {
        assertThat(
                        execute(
                                "run",
                                "--job=enrich",
                                "--bootstrap-servers=" + broker.bootstrapServers(),
                                "--input-topic=" + prompts,
                                "--output-topic=" + enriched,
                                "--dead-letter-topic=" + deadLetters,
                                "--parallelism=1",
                                "-Dlayerskip.prompt-template={{message}}",
                                "-Dkafka.source.group.id=job-" + group,
                                "-Dkafka.source.ending-offsets=LATEST",
                                "-Dexecution.checkpointing.interval=500ms"))
                .as(this::printed)
                .isZero();
    }

    @Test
    void whatIsNotWholeIsNamedAndLeftAlone() throws Exception {
        send(
                letter("TIMEOUT", NOW)
                        .withoutValue()
                        .why(header(DeadLetterFormat.OMITTED_VALUE, "99")));
        send(new ProducerRecord<>(deadLetters, 0, NOW, null, utf8("?")));
        send(letter("INVALID_JSON", NOW).value("{"));
        send(letter("TIMEOUT", NOW).value("good"));

        assertThat(replay()).as(this::printed).isEqualTo(3);

        assertThat(values(prompts)).containsExactly("good");
        assertThat(printed())
                .contains("left: " + deadLetters + "-0-0: TIMEOUT: its value of 99 bytes did not")
                .contains("the record stands in " + prompts + "-0-0")
                .contains("left: " + deadLetters + "-0-1: no dead letter")
                .contains("left: " + deadLetters + "-0-2: INVALID_JSON: ");

        assertThat(replay("--reason=INVALID_JSON")).as(this::printed).isZero();
        assertThat(values(prompts)).containsExactly("good", "{");
    }

    @Test
    void aRecordThatItsTopicDoesNotTakeIsLeftAlone() throws Exception {
        String small = "small-" + UUID.randomUUID();
        broker.createTopic(small, 1, Map.of("max.message.bytes", "1000"));
        prompts = small;
        send(letter("TIMEOUT", NOW).value("x".repeat(1000)));
        send(letter("TIMEOUT", NOW).value("good"));

        assertThat(replay()).as(this::printed).isEqualTo(3);

        assertThat(printed()).contains("max.message.bytes");
        assertThat(values(prompts)).containsExactly("good");
    }

    @Test
    void recordsOfOtherTopicsGoElsewhereOnlyIfThatIsAskedFor() throws Exception {
        send(letter("TIMEOUT", NOW).fromTopic("elsewhere").from(7, 1).value("other"));

        assertThat(replay()).as(this::printed).isZero();
        assertThat(values(prompts)).isEmpty();
        assertThat(printed()).contains("not looked at: 1 of records of elsewhere");

        assertThat(replay("--any-source")).as(this::printed).isZero();
        assertThat(values(prompts)).containsExactly("other");
    }

    @Test
    void whatKafkaMayHaveForgottenIsPutBackOnlyIfItsTimeIsNamed() throws Exception {
        long old = NOW - OFFSETS_RETENTION.toMillis() - MINUTE;
        broker.createTopic("kept-" + deadLetters, 1, Map.of("retention.ms", "-1"));
        deadLetters = "kept-" + deadLetters;
        send(letter("TIMEOUT", old).at(old).value("old"));

        send(letter("TIMEOUT", NOW).value("new"));

        // What a run puts back is remembered, and still nothing about what is older.
        for (int run = 0; run < 2; run++) {
            assertThat(replay()).as(this::printed).isEqualTo(3);
            assertThat(values(prompts)).containsExactly("new");
            assertThat(printed()).contains("left: 1 that may have been put back by a run that");
        }

        assertThat(replay("--since=" + old)).as(this::printed).isZero();
        assertThat(values(prompts)).containsExactly("new", "old");
        // So old a record would soon be deleted.
        assertThat(read(prompts)).allMatch(record -> record.timestamp() >= NOW);

        assertThat(replay()).as(this::printed).isZero();
        assertThat(values(prompts)).hasSize(2);
    }

    @Test
    void offsetsThatKafkasToolsSetSayThatAllBeforeIsDone() throws Exception {
        for (int i = 0; i < 4; i++) {
            send(letter("TIMEOUT", NOW).value("v" + i));
        }
        try (Admin admin = admin()) {
            admin.alterConsumerGroupOffsets(
                            group,
                            Map.of(new TopicPartition(deadLetters, 0), new OffsetAndMetadata(3)))
                    .all()
                    .get();
        }

        assertThat(replay()).as(this::printed).isZero();
        assertThat(values(prompts)).containsExactly("v3");
    }

    @Test
    void aJobsOwnSettingsWillDo(@TempDir Path folder) throws Exception {
        Path settings = folder.resolve("job.yaml");
        Files.writeString(
                settings,
                """
                kafka:
                  bootstrap.servers: "%s"
                  source: {topics: %s, group.id: job, starting-offsets: LATEST}
                  sink: {topic: completions, transactional-id-prefix: job}
                  dead-letters.topic: %s
                layerskip.prompt-template: "{{message}}"
                """
                        .formatted(broker.bootstrapServers(), prompts, deadLetters));
        send(letter("TIMEOUT", NOW).value("v"));

        assertThat(execute("replay", "--config=" + settings, "--group=" + group))
                .as(this::printed)
                .isZero();
        assertThat(values(prompts)).containsExactly("v");
    }

    @Test
    void topicsOfAPatternAreNamed() throws Exception {
        send(letter("TIMEOUT", NOW).value("v"));
        String pattern = "-Dkafka.source.topic-pattern=" + prompts;

        assertThat(replay(pattern)).as(this::printed).isZero();
        assertThat(values(prompts)).containsExactly("v");
    }

    @Test
    void wrongTopicsAreRefused() throws Exception {
        String compacted = "compacted-" + UUID.randomUUID();
        broker.createTopic(compacted, 1, Map.of("cleanup.policy", "compact"));

        assertRefused("option kafka.source.topics names none, which does not exist", "--to=none");
        assertRefused(
                "option kafka.dead-letters.topic names none, which does not exist", "--from=none");
        assertRefused("option kafka.dead-letters.topic is " + prompts, "--from=" + prompts);
        assertRefused("option kafka.source.topics is " + compacted, "--to=" + compacted);
        assertRefused(
                "option kafka.source.topics is a,b; allowed: one topic",
                "--to=a,b",
                "--any-source");
    }

    @Test
    void wrongChoicesAreRefused() {
        assertRefused("option --reason is LATE; allowed: NULL_VALUE, ", "--reason=LATE");
        assertRefused("option --since is yesterday; allowed: a time", "--since=yesterday");
        assertRefused("option --until is LATEST; allowed: a time", "--until=LATEST");
        assertRefused("option --max-tries is 0; allowed: ", "--max-tries=0");
        assertRefused("option --group is flink-layerskip; allowed", "--group=flink-layerskip");
        assertRefused("option kafka.sink.acks is 0; allowed: all", "-Dkafka.sink.acks=0");
    }

    @Test
    void topicsThatAreMissingAreNamed() {
        assertThat(execute("replay", "--bootstrap-servers=" + broker.bootstrapServers()))
                .as(this::printed)
                .isEqualTo(2);
        assertThat(printed()).contains("option kafka.dead-letters.topic is missing");

        out.reset();
        assertThat(
                        execute(
                                "replay",
                                "--bootstrap-servers=" + broker.bootstrapServers(),
                                "--from=" + deadLetters))
                .as(this::printed)
                .isEqualTo(2);
        assertThat(printed()).contains("option kafka.source.topics is missing; allowed: one or");
    }

    private void assertRefused(String message, String... more) {
        out.reset();
        assertThat(replay(more)).as(this::printed).isEqualTo(2);
        assertThat(printed()).contains(message);
    }

    private int replay(String... more) {
        out.reset();
        return execute(arguments(more));
    }

    private String[] arguments(String... more) {
        List<String> arguments = new ArrayList<>();
        arguments.add("replay");
        arguments.add("--bootstrap-servers=" + broker.bootstrapServers());
        if (Stream.of(more).noneMatch(argument -> argument.startsWith("--from="))) {
            arguments.add("--from=" + deadLetters);
        }
        if (Stream.of(more).noneMatch(argument -> argument.startsWith("--to="))) {
            arguments.add("--to=" + prompts);
        }
        if (Stream.of(more).noneMatch(argument -> argument.startsWith("--group="))) {
            arguments.add("--group=" + group);
        }
        arguments.addAll(List.of(more));
        return arguments.toArray(String[]::new);
    }

    private int execute(String... arguments) {
        PrintStream stream = new PrintStream(out, true, StandardCharsets.UTF_8);
        return Main.commandLine(stream, stream).execute(arguments);
    }

    private String printed() {
        return out.toString(StandardCharsets.UTF_8);
    }

    /** A dead letter as the job writes them. */
    private Letter letter(String reason, long timestamp) {
        return new Letter(deadLetters, prompts, reason, timestamp);
    }

    private static final class Letter {
        private final String topic;
        private final String reason;
        private final long timestamp;
        private final List<Header> own = new ArrayList<>();
        private final List<Header> more = new ArrayList<>();
        private String sourceTopic;
        private int sourcePartition;
        private long sourceOffset;
        private byte[] key;
        private byte[] value = utf8("value");

        Letter(String topic, String sourceTopic, String reason, long timestamp) {
            this.topic = topic;
            this.sourceTopic = sourceTopic;
            this.reason = reason;
            this.timestamp = timestamp;
        }

        Letter fromTopic(String name) {
            sourceTopic = name;
            return this;
        }

        Letter from(int partition, long offset) {
            sourcePartition = partition;
            sourceOffset = offset;
            return this;
        }

        Letter at(long sourceTimestamp) {
            return why(header(DeadLetterFormat.SOURCE_TIMESTAMP, Long.toString(sourceTimestamp)));
        }

        Letter key(String text) {
            key = utf8(text);
            return this;
        }

        Letter value(String text) {
            return value(utf8(text));
        }

        Letter withoutValue() {
            return value((byte[]) null);
        }

        Letter value(byte[] bytes) {
            value = bytes;
            return this;
        }

        Letter own(List<Header> headers) {
            own.addAll(headers);
            return this;
        }

        Letter why(Header header) {
            more.add(header);
            return this;
        }

        ProducerRecord<byte[], byte[]> record() {
            List<Header> headers = new ArrayList<>(own);
            headers.add(header(DeadLetterFormat.ERROR_CLASS, reason));
            headers.add(header(DeadLetterFormat.ERROR_MESSAGE, "what happened"));
            headers.add(header(DeadLetterFormat.SOURCE_TOPIC, sourceTopic));
            headers.add(
                    header(DeadLetterFormat.SOURCE_PARTITION, Integer.toString(sourcePartition)));
            headers.add(header(DeadLetterFormat.SOURCE_OFFSET, Long.toString(sourceOffset)));
            headers.addAll(more);
            return new ProducerRecord<>(topic, 0, timestamp, key, value, headers);
        }
    }

    private static Header header(String key, String value) {
        return new RecordHeader(key, utf8(value));
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static void send(Letter letter) throws Exception {
        send(letter.record());
    }

    private static void send(ProducerRecord<byte[], byte[]> record) throws Exception {
        producer.send(record).get();
    }

    private static void sendAll(List<ProducerRecord<byte[], byte[]>> records) throws Exception {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        records.forEach(record -> sent.add(producer.send(record)));
        for (Future<RecordMetadata> each : sent) {
            each.get();
        }
    }

    private static List<String> values(String topic) {
        return read(topic).stream()
                .map(record -> new String(record.value(), StandardCharsets.UTF_8))
                .toList();
    }

    private static ConsumerRecord<byte[], byte[]> only(
            List<ConsumerRecord<byte[], byte[]>> records, int partition, int index) {
        return records.stream().filter(r -> r.partition() == partition).toList().get(index);
    }

    /** The committed records, once no transaction is open: a commit is seen a moment later. */
    private static List<ConsumerRecord<byte[], byte[]>> read(String topic) {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
        while (ends(topic, "read_committed") < ends(topic, "read_uncommitted")) {
            assertThat(System.nanoTime()).as("open transactions").isLessThan(deadline);
        }
        return readCommitted(topic);
    }

    /** The records that are committed now. */
    private static List<ConsumerRecord<byte[], byte[]>> readCommitted(String topic) {
        List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
        try (KafkaConsumer<byte[], byte[]> consumer = consumer("read_committed")) {
            List<TopicPartition> partitions = partitions(topic, consumer);
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            while (ends.entrySet().stream()
                    .anyMatch(end -> consumer.position(end.getKey()) < end.getValue())) {
                consumer.poll(Duration.ofMillis(100)).forEach(records::add);
            }
        }
        return records;
    }

    /** The sum of the partitions' end offsets. */
    private static long ends(String topic, String isolation) {
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(isolation)) {
            return consumer.endOffsets(partitions(topic, consumer)).values().stream()
                    .mapToLong(Long::longValue)
                    .sum();
        }
    }

    private static KafkaConsumer<byte[], byte[]> consumer(String isolation) {
        return new KafkaConsumer<>(
                Map.of(
                        "bootstrap.servers",
                        broker.bootstrapServers(),
                        "isolation.level",
                        isolation),
                new ByteArrayDeserializer(),
                new ByteArrayDeserializer());
    }

    private static List<TopicPartition> partitions(
            String topic, KafkaConsumer<byte[], byte[]> consumer) {
        return consumer.partitionsFor(topic).stream()
                .map(info -> new TopicPartition(topic, info.partition()))
                .toList();
    }

    private Map<TopicPartition, OffsetAndMetadata> committed() throws Exception {
        try (Admin admin = admin()) {
            return admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
        }
    }

    private static Admin admin() {
        return Admin.create(Map.of("bootstrap.servers", broker.bootstrapServers()));
    }
}
