package io.layerskip.connectors.internal;

import io.layerskip.connectors.RecordHeader;
import io.layerskip.connectors.SourceRecord;
import io.layerskip.flink.CborTypeInformation;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/** Takes records from the consumer as they are: what is wrong with one is found out downstream. */
@Internal
public final class SourceRecordDeserializer
        implements KafkaRecordDeserializationSchema<SourceRecord> {

    private static final long serialVersionUID = 1;

    @Override
    public void deserialize(
            ConsumerRecord<byte[], byte[]> record, Collector<SourceRecord> collector) {
        collector.collect(sourceRecord(record));
    }

    /** A record of Kafka's consumer as one of ours. */
    public static SourceRecord sourceRecord(ConsumerRecord<byte[], byte[]> record) {
        List<RecordHeader> headers =
                Stream.of(record.headers().toArray())
                        .map(
                                header ->
                                        new RecordHeader(
                                                header.key(), Optional.ofNullable(header.value())))
                        .toList();
        return new SourceRecord(
                record.topic(),
                record.partition(),
                record.offset(),
                record.timestamp(),
                Optional.ofNullable(record.key()),
                Optional.ofNullable(record.value()),
                headers);
    }

    @Override
    public TypeInformation<SourceRecord> getProducedType() {
        return CborTypeInformation.forRecord(SourceRecord.class);
    }
}
