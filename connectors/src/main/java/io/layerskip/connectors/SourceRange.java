package io.layerskip.connectors;

import io.layerskip.connectors.internal.Brokers;
import io.layerskip.flink.OptionReader;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.connector.kafka.source.KafkaSourceBuilder;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.OffsetResetStrategy;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.TopicPartition;

/**
 * What a source reads: from where and, unless it reads for ever, to where. Found out once, when the
 * job is submitted, so that a job which fails before its first checkpoint reads the same again.
 */
final class SourceRange {

    private final KafkaConfiguration configuration;
    private final OffsetsInitializer start;
    private final Optional<Map<TopicPartition, Long>> ends;
    private final OptionalLong records;

    private SourceRange(
            KafkaConfiguration configuration,
            OffsetsInitializer start,
            Optional<Map<TopicPartition, Long>> ends,
            OptionalLong records) {
        this.configuration = configuration;
        this.start = start;
        this.ends = ends;
        this.records = records;
    }

    /**
     * @param brokers of the consumer
     * @throws IllegalConfigurationException if there are no such topics, or may not be seen
     */
    static SourceRange of(KafkaConfiguration configuration, Brokers brokers) {
        Offsets offsets = new Offsets(configuration, brokers, topics(configuration, brokers));
        KafkaPosition from = configuration.startingOffsets();
        Optional<Map<TopicPartition, Long>> ends = configuration.endingOffsets().map(offsets::at);
        OptionalLong records =
                ends.map(to -> OptionalLong.of(between(offsets.at(from), to)))
                        .orElse(OptionalLong.empty());
        return new SourceRange(configuration, start(from, offsets), ends, records);
    }

    private static List<String> topics(KafkaConfiguration configuration, Brokers brokers) {
        if (configuration.topicPattern().isEmpty()) {
            brokers.checkTopics(KafkaOptions.SOURCE_TOPICS.key(), configuration.sourceTopics());
            return configuration.sourceTopics();
        }
        List<String> topics = brokers.topics(configuration.topicPattern().get());
        if (topics.isEmpty()) {
            throw new IllegalConfigurationException(
                    OptionReader.refusal(
                            KafkaOptions.SOURCE_TOPIC_PATTERN,
                            configuration.topicPattern().get() + ", which no topic matches",
                            "what at least one topic's whole name matches"));
        }
        return topics;
    }

    @SuppressWarnings("deprecation") // the connector has no other way to name the reset strategy
    private static OffsetsInitializer start(KafkaPosition from, Offsets offsets) {
        return switch (from.kind()) {
            case COMMITTED -> OffsetsInitializer.committedOffsets(OffsetResetStrategy.EARLIEST);
            case EARLIEST -> OffsetsInitializer.earliest();
            // Not the connector's latest(), which looks again when the job fails before its first
            // checkpoint. A partition that is not there yet is read from its start.
            case LATEST -> OffsetsInitializer.offsets(offsets.at(from));
            case TIMESTAMP -> OffsetsInitializer.timestamp(from.timestamp());
        };
    }

    private static long between(Map<TopicPartition, Long> starts, Map<TopicPartition, Long> ends) {
        return ends.entrySet().stream()
                .mapToLong(end -> Math.max(0, end.getValue() - starts.get(end.getKey())))
                .sum();
    }

    /** Sets what is to be read. */
    <T> KafkaSourceBuilder<T> applyTo(KafkaSourceBuilder<T> source) {
        source.setStartingOffsets(start);
        if (ends.isPresent()) {
            // A partition that is added now has no end.
            return source.setPartitions(new HashSet<>(ends.get().keySet()))
                    .setBounded(OffsetsInitializer.offsets(ends.get()));
        }
        return configuration
                .topicPattern()
                .map(source::setTopicPattern)
                .orElseGet(() -> source.setTopics(configuration.sourceTopics()));
    }

    /** See {@link KafkaPipeline#recordsToRead}. */
    OptionalLong records() {
        return records;
    }

    /** Offsets of the partitions of some topics. */
    private static final class Offsets {
        private final KafkaConfiguration configuration;
        private final Brokers brokers;
        private final Set<TopicPartition> partitions;

        Offsets(KafkaConfiguration configuration, Brokers brokers, List<String> topics) {
            this.configuration = configuration;
            this.brokers = brokers;
            this.partitions = brokers.partitions(topics);
        }

        Map<TopicPartition, Long> at(KafkaPosition position) {
            return switch (position.kind()) {
                case EARLIEST -> find(OffsetSpec.earliest());
                case LATEST -> find(OffsetSpec.latest());
                case COMMITTED -> committed();
                case TIMESTAMP -> since(position.timestamp());
            };
        }

        private Map<TopicPartition, Long> committed() {
            Map<TopicPartition, Long> offsets = find(OffsetSpec.earliest());
            Map<TopicPartition, Long> committed = brokers.committed(configuration.groupId());
            committed.keySet().retainAll(partitions);
            offsets.putAll(committed);
            return offsets;
        }

        private Map<TopicPartition, Long> since(long timestamp) {
            Map<TopicPartition, Long> offsets = find(OffsetSpec.latest());
            Map<TopicPartition, Long> later =
                    new HashMap<>(find(OffsetSpec.forTimestamp(timestamp)));
            later.values().removeIf(offset -> offset < 0);
            later.forEach((partition, offset) -> offsets.merge(partition, offset, Math::min));
            return offsets;
        }

        private Map<TopicPartition, Long> find(OffsetSpec spec) {
            IsolationLevel isolation = configuration.isolation();
            return brokers.offsets(partitions, spec, isolation);
        }
    }
}
