package io.layerskip.tests.cluster;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.layerskip.connectors.DeadLetterFormat;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BooleanSupplier;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * A steady flow of requests, with a few keys, some long generations and a share of bad records; and
 * what a reader of committed records finds of them. A record is known by its number, which travels
 * in a header.
 */
final class Traffic implements AutoCloseable {

    static final String PROMPTS = "prompts";
    static final String COMPLETIONS = "completions";
    static final String DEAD_LETTERS = "dead-letters";

    private static final int KEYS = 8;
    private static final int PER_SECOND = 10;
    private static final int LONG_EVERY = 20;
    private static final String NUMBER = "number";
    private static final ObjectMapper JSON = new ObjectMapper();

    private final List<String> prompts;

    /** What the golden prompts among them are completed to. */
    private final Map<String, String> golden = new HashMap<>();

    private final KafkaProducer<byte[], byte[]> producer;
    private final KafkaConsumer<byte[], byte[]> consumer;
    private final Thread sender = new Thread(this::send, "traffic");
    private volatile boolean paused;
    private volatile boolean ended;
    private volatile int sent;

    /** Keys are numbered; those from {@link #KEYS} on have a partition of their own each. */
    private volatile int keys = KEYS;

    /** Of the prompts' topic, at the beginning. */
    private final int partitions;

    private volatile Exception failure;

    /** How often each number was read. */
    private final Map<Integer, Integer> read = new HashMap<>();

    private long completionTokens;

    /** The numbers of completions that are not as the reference has them. */
    private final Set<Integer> wrongTexts = new TreeSet<>();

    /** Why a number is among the dead letters. */
    private final Map<Integer, String> reasons = new HashMap<>();

    /** Prompts that were sent beside those to choose from, by number. */
    private final Map<Integer, String> special = new ConcurrentHashMap<>();

    /** The numbers of completions in the order in which they were read, by key. */
    private final Map<String, List<Integer>> order = new LinkedHashMap<>();

    /**
     * @param prompts to choose from
     */
    Traffic(String bootstrapServers, List<String> prompts) throws IOException {
        this.prompts = prompts;
        GoldenCase.all().forEach(known -> golden.put(known.prompt(), known.completion()));
        this.producer =
                new KafkaProducer<>(
                        Map.of(
                                "bootstrap.servers",
                                bootstrapServers,
                                "enable.idempotence",
                                "true",
                                // A new partition may refuse the first batch and take the second,
                                // after which the first is out of sequence for good.
                                "max.in.flight.requests.per.connection",
                                "1",
                                "delivery.timeout.ms",
                                "300000"),
                        new ByteArraySerializer(),
                        new ByteArraySerializer());
        this.partitions = producer.partitionsFor(PROMPTS).size();
        this.consumer =
                new KafkaConsumer<>(
                        Map.of(
                                "bootstrap.servers",
                                bootstrapServers,
                                "isolation.level",
                                "read_committed"),
                        new ByteArrayDeserializer(),
                        new ByteArrayDeserializer());
        List<TopicPartition> partitions =
                List.of(COMPLETIONS, DEAD_LETTERS).stream()
                        .flatMap(topic -> consumer.partitionsFor(topic).stream())
                        .map(info -> new TopicPartition(info.topic(), info.partition()))
                        .toList();
        consumer.assign(partitions);
        consumer.seekToBeginning(partitions);
    }

    /** The bundled model's golden prompts. */
    static List<String> goldenPrompts() throws IOException {
        return GoldenCase.all().stream().map(GoldenCase::prompt).toList();
    }

    /** Starts to send. */
    void start() {
        sender.start();
    }

    /** Sends a prompt of another sort; returns its number. */
    int send(String prompt) {
        int number = next();
        special.put(number, prompt);
        ObjectNode request = JSON.createObjectNode();
        request.put("id", Integer.toString(number)).put("prompt", prompt);
        producer.send(record(number, request.toString()), this::noteFailure);
        return number;
    }

    /** The next number that is sent, to which several threads may come. */
    private synchronized int next() {
        return sent++;
    }

    private synchronized OptionalInt nextUnlessPaused() {
        return paused ? OptionalInt.empty() : OptionalInt.of(next());
    }

    /** Sends so many at once, none of them long. */
    void send(int count) {
        for (int i = 0; i < count; i++) {
            int number = next();
            producer.send(record(number, value(number, request(number))), this::noteFailure);
        }
        producer.flush();
    }

    private void send() {
        try {
            while (!ended) {
                OptionalInt number = nextUnlessPaused();
                if (number.isPresent()) {
                    producer.send(
                            record(
                                    number.getAsInt(),
                                    value(number.getAsInt(), sometimesLong(number.getAsInt()))),
                            this::noteFailure);
                }
                Thread.sleep(1000 / PER_SECOND);
            }
        } catch (InterruptedException e) {
            // close() ends it.
        }
    }

    private void noteFailure(RecordMetadata metadata, Exception e) {
        if (e != null) {
            failure = e;
        }
    }

    private static String value(int number, ObjectNode request) {
        return number % 10 == 5 ? "no JSON" : request.toString();
    }

    /** A key keeps its partition, and so its order, however many partitions are added. */
    private ProducerRecord<byte[], byte[]> record(int number, String value) {
        int key = number % keys;
        int partition = key < KEYS ? key % partitions : partitions + key - KEYS;
        ProducerRecord<byte[], byte[]> record =
                new ProducerRecord<>(PROMPTS, partition, utf8("key-" + key), utf8(value));
        record.headers().add(NUMBER, utf8(Integer.toString(number)));
        return record;
    }

    private ObjectNode request(int number) {
        ObjectNode request = JSON.createObjectNode();
        request.put("id", Integer.toString(number));
        request.put("prompt", prompts.get(number % prompts.size()));
        return request;
    }

    private ObjectNode sometimesLong(int number) {
        ObjectNode request = request(number);
        return number % LONG_EVERY == 0
                ? request.put("max_tokens", 400)
                        .put("ignore_eos", true)
                        .put("num_assistant_tokens", 0)
                : request;
    }

    /** Sends nothing from now on: whoever counts what was sent afterwards counts all. */
    synchronized void pause() {
        paused = true;
    }

    /** Sends to one partition more, which was added to the prompts' topic. */
    synchronized void usePartitionAdded() {
        keys++;
    }

    void resume() {
        paused = false;
    }

    /** How many were sent. */
    int sent() {
        return sent;
    }

    /** Reads what is committed until a number was read, or until the deadline. */
    boolean awaitNumber(int number, Duration within) {
        return await(() -> read.containsKey(number), within);
    }

    /** Reads what is committed until nothing that was sent is missing, or until the deadline. */
    boolean awaitAll(Duration within) {
        return awaitAnswered(sent, within);
    }

    /** Reads what is committed until so many were read, or until the deadline. */
    boolean awaitAnswered(int count, Duration within) {
        return await(() -> read.size() >= count, within);
    }

    private boolean await(BooleanSupplier condition, Duration within) {
        long deadline = System.nanoTime() + within.toNanos();
        while (!condition.getAsBoolean() && System.nanoTime() < deadline) {
            poll();
        }
        return condition.getAsBoolean();
    }

    private void poll() {
        if (failure != null) {
            throw new IllegalStateException("a prompt could not be sent", failure);
        }
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
            int number = Integer.parseInt(text(record.headers().lastHeader(NUMBER).value()));
            read.merge(number, 1, Integer::sum);
            if (record.topic().equals(COMPLETIONS)) {
                order.computeIfAbsent(text(record.key()), key -> new ArrayList<>()).add(number);
                JsonNode completion = json(record.value());
                completionTokens += completion.path("usage").path("completion_tokens").asInt();
                check(number, completion.path("choices").path(0).path("text"));
            } else {
                reasons.put(
                        number,
                        text(record.headers().lastHeader(DeadLetterFormat.ERROR_CLASS).value()));
            }
        }
    }

    private static JsonNode json(byte[] completion) {
        try {
            return JSON.readTree(completion);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Those that are long go on after the end of the golden ones. */
    private void check(int number, JsonNode text) {
        String prompt = special.getOrDefault(number, prompts.get(number % prompts.size()));
        String expected = golden.get(prompt);
        if (text.isTextual()
                && expected != null
                && !(number % LONG_EVERY == 0
                        ? text.asText().startsWith(expected)
                        : text.asText().equals(expected))) {
            wrongTexts.add(number);
        }
    }

    /** The numbers that have another text than the reference. */
    Set<Integer> wrongTexts() {
        return wrongTexts;
    }

    /** Why a number became a dead letter; empty if it was not read as one. */
    Optional<String> reason(int number) {
        return Optional.ofNullable(reasons.get(number));
    }

    /** How many tokens the completions have that were read. */
    long completionTokens() {
        return completionTokens;
    }

    /** How many were read. */
    int answered() {
        return read.size();
    }

    /** The numbers that were sent and not read. */
    Set<Integer> missing() {
        Set<Integer> missing = new TreeSet<>();
        for (int number = 0; number < sent; number++) {
            if (!read.containsKey(number)) {
                missing.add(number);
            }
        }
        return missing;
    }

    /** The numbers that were read more than once. */
    Set<Integer> duplicates() {
        Set<Integer> duplicates = new TreeSet<>();
        read.forEach(
                (number, times) -> {
                    if (times > 1) {
                        duplicates.add(number);
                    }
                });
        return duplicates;
    }

    /** The keys whose completions did not come in the order of their requests. */
    List<String> keysOutOfOrder() {
        return order.entrySet().stream()
                .filter(key -> !key.getValue().stream().sorted().toList().equals(key.getValue()))
                .map(Map.Entry::getKey)
                .toList();
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }

    @Override
    public void close() {
        ended = true;
        sender.interrupt();
        producer.close(Duration.ofSeconds(5));
        consumer.close();
    }
}
