package io.layerskip.tests.cluster;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
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
    private static final String NUMBER = "number";
    private static final ObjectMapper JSON = new ObjectMapper();

    private final List<String> prompts;
    private final KafkaProducer<byte[], byte[]> producer;
    private final KafkaConsumer<byte[], byte[]> consumer;
    private final Thread sender = new Thread(this::send, "traffic");
    private volatile boolean paused;
    private volatile boolean ended;
    private volatile int sent;
    private volatile Exception failure;

    /** How often each number was read. */
    private final Map<Integer, Integer> read = new HashMap<>();

    private long completionTokens;

    /** The numbers of completions in the order in which they were read, by key. */
    private final Map<String, List<Integer>> order = new LinkedHashMap<>();

    /**
     * @param prompts to choose from
     */
    Traffic(String bootstrapServers, List<String> prompts) {
        this.prompts = prompts;
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

    /** Sends so many at once, none of them long. */
    void send(int count) {
        for (int i = 0; i < count; i++) {
            int number = sent;
            producer.send(record(number, request(number)), this::noteFailure);
            sent = number + 1;
        }
        producer.flush();
    }

    private void send() {
        try {
            while (!ended) {
                if (!paused) {
                    int number = sent;
                    producer.send(record(number, sometimesLong(number)), this::noteFailure);
                    sent = number + 1;
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

    private ProducerRecord<byte[], byte[]> record(int number, ObjectNode request) {
        String key = "key-" + number % KEYS;
        ProducerRecord<byte[], byte[]> record =
                new ProducerRecord<>(
                        PROMPTS,
                        utf8(key),
                        utf8(number % 10 == 5 ? "no JSON" : request.toString()));
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
        return number % 20 == 0
                ? request.put("max_tokens", 400)
                        .put("ignore_eos", true)
                        .put("num_assistant_tokens", 0)
                : request;
    }

    void pause() {
        paused = true;
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
                completionTokens += tokens(record.value());
            }
        }
    }

    private static int tokens(byte[] completion) {
        try {
            return JSON.readTree(completion).path("usage").path("completion_tokens").asInt();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
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
