package io.layerskip.connectors.internal;

import io.layerskip.connectors.OutgoingRecord;
import io.layerskip.connectors.RecordHeader;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.flink.annotation.Internal;
import org.apache.flink.connector.kafka.lineage.DefaultKafkaDatasetFacet;
import org.apache.flink.connector.kafka.lineage.DefaultKafkaDatasetIdentifier;
import org.apache.flink.connector.kafka.lineage.KafkaDatasetFacet;
import org.apache.flink.connector.kafka.lineage.KafkaDatasetFacetProvider;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;

/**
 * Hands records to the producer. Each names its topic; the topics that may occur have to be known
 * beforehand, because the sink asks the brokers for open transactions on them when it starts.
 */
@Internal
public final class OutgoingRecordSerializer
        implements KafkaRecordSerializationSchema<OutgoingRecord>, KafkaDatasetFacetProvider {

    private static final long serialVersionUID = 1;

    private final ArrayList<String> topics;

    public OutgoingRecordSerializer(List<String> topics) {
        this.topics = new ArrayList<>(topics);
    }

    @Override
    public ProducerRecord<byte[], byte[]> serialize(
            OutgoingRecord record, KafkaSinkContext context, Long timestamp) {
        Headers headers = new RecordHeaders();
        for (RecordHeader header : record.headers()) {
            headers.add(header.key(), header.value().orElse(null));
        }
        // No partition: the key's. No timestamp: that of sending.
        return new ProducerRecord<>(
                record.topic(),
                null,
                null,
                record.key().orElse(null),
                record.value().orElse(null),
                headers);
    }

    @Override
    public Optional<KafkaDatasetFacet> getKafkaDatasetFacet() {
        return Optional.of(
                new DefaultKafkaDatasetFacet(DefaultKafkaDatasetIdentifier.ofTopics(topics)));
    }
}
