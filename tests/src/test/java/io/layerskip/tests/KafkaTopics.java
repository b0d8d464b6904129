package io.layerskip.tests;

import io.layerskip.local.EmbeddedBroker;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import java.util.function.Predicate;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** What a test puts into topics and finds there, as anybody who reads committed records would. */
final class KafkaTopics {

    private static final Duration DEADLINE = Duration.ofSeconds(90);

    private final String servers;

    KafkaTopics(EmbeddedBroker broker) {
        this.servers = broker.bootstrapServers();
    }

    /** Sends records and waits until the broker has them. */
    void send(List<ProducerRecord<byte[], byte[]>> records) throws Exception {
        try (KafkaProducer<byte[], byte[]> producer =
                new KafkaProducer<>(
                        Map.of(
                                "bootstrap.servers",
                                servers,
                                "max.request.size",
                                EmbeddedBroker.MESSAGE_MAX_BYTES),
                        new ByteArraySerializer(),
                        new ByteArraySerializer())) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            records.forEach(record -> sent.add(producer.send(record)));
            for (Future<RecordMetadata> each : sent) {
                each.get();
            }
        }
    }

    /**
     * The committed records of the topics, as soon as they are what is waited for; after 90 s as
     * they are then.
     */
    List<ConsumerRecord<byte[], byte[]>> read(
            Collection<String> topics, Predicate<List<ConsumerRecord<byte[], byte[]>>> isComplete) {
        List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
        Instant deadline = Instant.now().plus(DEADLINE);
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(topics)) {
            while (!isComplete.test(records) && Instant.now().isBefore(deadline)) {
                consumer.poll(Duration.ofMillis(100)).forEach(records::add);
            }
        }
        return records;
    }

    /** All records of the topics that are committed now. */
    List<ConsumerRecord<byte[], byte[]>> readAll(Collection<String> topics) {
        List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(topics)) {
            Map<TopicPartition, Long> ends = consumer.endOffsets(consumer.assignment());
            while (ends.entrySet().stream()
                    .anyMatch(end -> consumer.position(end.getKey()) < end.getValue())) {
                consumer.poll(Duration.ofMillis(100)).forEach(records::add);
            }
        }
        return records;
    }

    /**
     * How many records a consumer group has committed, all partitions together, as soon as that is
     * what is waited for; after 90 s as many as there are then.
     */
    long committedOffsets(String group, long expected) throws Exception {
        Instant deadline = Instant.now().plus(DEADLINE);
        long committed;
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", servers))) {
            do {
                committed =
                        admin
                                .listConsumerGroupOffsets(group)
                                .partitionsToOffsetAndMetadata()
                                .get()
                                .values()
                                .stream()
                                .mapToLong(OffsetAndMetadata::offset)
                                .sum();
            } while (committed != expected && Instant.now().isBefore(deadline));
        }
        return committed;
    }

    private KafkaConsumer<byte[], byte[]> consumer(Collection<String> topics) {
        KafkaConsumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(
                        Map.of("bootstrap.servers", servers, "isolation.level", "read_committed"),
                        new ByteArrayDeserializer(),
                        new ByteArrayDeserializer());
        List<TopicPartition> partitions =
                topics.stream()
                        .flatMap(topic -> consumer.partitionsFor(topic).stream())
                        .map(info -> new TopicPartition(info.topic(), info.partition()))
                        .toList();
        consumer.assign(partitions);
        consumer.seekToBeginning(partitions);
        return consumer;
    }
}
