package io.layerskip.local;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class EmbeddedBrokerTest {

    private static EmbeddedBroker broker;

    @BeforeAll
    static void start() throws IOException {
        broker = EmbeddedBroker.start();
    }

    @AfterAll
    static void stop() {
        broker.close();
    }

    @Test
    void aCommittedTransactionIsReadByAReadCommittedConsumer() throws IOException {
        broker.createTopics(1, "committed");
        try (KafkaProducer<byte[], byte[]> producer = transactionalProducer()) {
            producer.initTransactions();
            producer.beginTransaction();
            producer.send(new ProducerRecord<>("committed", new byte[] {1, 2, 3}));
            producer.commitTransaction();
        }

        assertThat(readOne("committed")).containsExactly(1, 2, 3);
    }

    @Test
    void aRecordOfSixMegabytesFits() throws IOException {
        broker.createTopics(1, "large");
        try (KafkaProducer<byte[], byte[]> producer = transactionalProducer()) {
            producer.initTransactions();
            producer.beginTransaction();
            producer.send(new ProducerRecord<>("large", new byte[6_000_000]));
            producer.commitTransaction();
        }

        assertThat(readOne("large")).hasSize(6_000_000);
    }

    @Test
    void aTopicThatExistsIsRefused() throws IOException {
        broker.createTopics(1, "twice");

        assertThatThrownBy(() -> broker.createTopics(1, "twice"))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("twice");
    }

    private static KafkaProducer<byte[], byte[]> transactionalProducer() {
        return new KafkaProducer<>(
                Map.of(
                        "bootstrap.servers",
                        broker.bootstrapServers(),
                        "transactional.id",
                        "embedded-broker-test",
                        "max.request.size",
                        EmbeddedBroker.MESSAGE_MAX_BYTES),
                new ByteArraySerializer(),
                new ByteArraySerializer());
    }

    private static byte[] readOne(String topic) {
        try (KafkaConsumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(
                        Map.of(
                                "bootstrap.servers",
                                broker.bootstrapServers(),
                                "isolation.level",
                                "read_committed"),
                        new ByteArrayDeserializer(),
                        new ByteArrayDeserializer())) {
            List<TopicPartition> partition = List.of(new TopicPartition(topic, 0));
            consumer.assign(partition);
            consumer.seekToBeginning(partition);
            ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofSeconds(30));
            assertThat(records).hasSize(1);
            ConsumerRecord<byte[], byte[]> first = records.iterator().next();
            return first.value();
        }
    }
}
