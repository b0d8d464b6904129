package io.layerskip.connectors;

import io.layerskip.connectors.internal.Brokers;
import io.layerskip.flink.OptionReader;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.internals.RecordHeaders;

/**
 * A topic that dead letters are put back to, and the records that they become there.
 *
 * @param topic its name
 * @param partitions how many it has
 * @param maxBytes the largest record batch that it takes
 * @param longestAgeMs of a timestamp that a record may keep
 */
record ReplayTarget(String topic, int partitions, long maxBytes, long longestAgeMs) {

    /** Kafka's default, for what may not be seen. */
    private static final Duration RETENTION = Duration.ofDays(7);

    /**
     * Asks the brokers about a topic.
     *
     * @throws IllegalConfigurationException if it is one that nothing can be put back to
     */
    static ReplayTarget of(String topic, KafkaConfiguration configuration, Brokers brokers) {
        if (brokers.isCompacted(topic)) {
            throw new IllegalConfigurationException(
                    OptionReader.refusal(
                            KafkaOptions.SOURCE_TOPICS,
                            topic + ", whose cleanup.policy has compact",
                            "topics with cleanup.policy delete, as an old record would take the"
                                    + " place of a newer one of its key"));
        }
        return new ReplayTarget(
                topic,
                brokers.partitions(List.of(topic)).size(),
                KafkaPipeline.largestRecord(configuration, topic, brokers.maxMessageBytes(topic)),
                longestAgeMs(topic, brokers));
    }

    /** Of an age at which the topic takes a record and keeps it for as long again. */
    private static long longestAgeMs(String topic, Brokers brokers) {
        long retention = brokers.retentionMs(topic).orElse(RETENTION.toMillis());
        long keeps = retention < 0 ? Long.MAX_VALUE : retention / 2;
        return Math.min(keeps, brokers.oldestTimestampMs(topic).orElse(Long.MAX_VALUE));
    }

    /** The record that a dead letter was, with one try more. */
    OutgoingRecord outgoing(DeadLetter letter) {
        List<RecordHeader> headers = new ArrayList<>(letter.headers());
        headers.add(
                RecordHeader.ofText(DeadLetterFormat.TRIES, Integer.toString(letter.tries() + 1)));
        return new OutgoingRecord(topic, letter.letter().key(), letter.letter().value(), headers);
    }

    /** The same for the producer, with its place and time. */
    ProducerRecord<byte[], byte[]> record(DeadLetter letter) {
        OutgoingRecord outgoing = outgoing(letter);
        RecordHeaders headers = new RecordHeaders();
        outgoing.headers().forEach(h -> headers.add(h.key(), h.value().orElse(null)));
        return new ProducerRecord<>(
                topic,
                partition(letter),
                timestamp(letter),
                outgoing.key().orElse(null),
                outgoing.value().orElse(null),
                headers);
    }

    /** The record's own, where others of its key are; in another topic, that of its key. */
    private Integer partition(DeadLetter letter) {
        return letter.sourceTopic().equals(topic) && letter.sourcePartition() < partitions
                ? Integer.valueOf(letter.sourcePartition())
                : null;
    }

    /** The record's own; that of sending where the topic would soon delete such an old record. */
    private Long timestamp(DeadLetter letter) {
        OptionalLong own = letter.sourceTimestamp();
        long age = System.currentTimeMillis() - own.orElse(0);
        return own.isPresent() && age >= 0 && age <= longestAgeMs
                ? Long.valueOf(own.getAsLong())
                : null;
    }
}
