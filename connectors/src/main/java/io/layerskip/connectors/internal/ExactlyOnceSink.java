package io.layerskip.connectors.internal;

import java.io.IOException;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.Properties;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.connector.sink2.Committer;
import org.apache.flink.api.connector.sink2.CommitterInitContext;
import org.apache.flink.api.connector.sink2.WriterInitContext;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaCommittable;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.sink.KafkaWriterState;
import org.apache.flink.connector.kafka.sink.TransactionNamingStrategy;
import org.apache.flink.connector.kafka.sink.TwoPhaseCommittingStatefulSink;
import org.apache.flink.core.io.SimpleVersionedSerializer;
import org.apache.flink.streaming.api.connector.sink2.CommittableMessage;
import org.apache.flink.streaming.api.connector.sink2.SupportsPostCommitTopology;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.lineage.LineageVertex;
import org.apache.flink.streaming.api.lineage.LineageVertexProvider;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * The connector's exactly-once sink with pooled transactional ids, whose writers leave no admin
 * client behind, see {@link WriterStart}. All else is the connector's, what stands in savepoints
 * included.
 *
 * @param <T> what is written
 */
@Internal
public final class ExactlyOnceSink<T>
        implements TwoPhaseCommittingStatefulSink<T, KafkaWriterState, KafkaCommittable>,
                SupportsPostCommitTopology<KafkaCommittable>,
                LineageVertexProvider {

    private static final long serialVersionUID = 1;

    private final Properties producerProperties;
    private final String transactionalIdPrefix;
    private final KafkaRecordSerializationSchema<T> serializer;
    private final KafkaSink<T> sink;

    /**
     * @param transactionalIdPrefix no other sink's prefix is the start of it
     */
    public ExactlyOnceSink(
            Properties producerProperties,
            String transactionalIdPrefix,
            KafkaRecordSerializationSchema<T> serializer) {
        this.producerProperties = withSerializers(producerProperties);
        this.transactionalIdPrefix = transactionalIdPrefix;
        this.serializer = serializer;
        this.sink =
                KafkaSink.<T>builder()
                        .setKafkaProducerConfig(producerProperties)
                        .setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE)
                        .setTransactionNamingStrategy(TransactionNamingStrategy.POOLING)
                        .setTransactionalIdPrefix(transactionalIdPrefix)
                        .setRecordSerializer(serializer)
                        .build();
    }

    /** As the connector's builder adds them. */
    private static Properties withSerializers(Properties producerProperties) {
        Properties properties = new Properties();
        properties.putAll(producerProperties);
        properties.setProperty(
                ProducerConfig.KEY_SERIALIZER_CLASS_CONFIG, ByteArraySerializer.class.getName());
        properties.setProperty(
                ProducerConfig.VALUE_SERIALIZER_CLASS_CONFIG, ByteArraySerializer.class.getName());
        return properties;
    }

    @Override
    public PrecommittingStatefulSinkWriter<T, KafkaWriterState, KafkaCommittable> createWriter(
            WriterInitContext context) throws IOException {
        return restoreWriter(context, List.of());
    }

    @Override
    public PrecommittingStatefulSinkWriter<T, KafkaWriterState, KafkaCommittable> restoreWriter(
            WriterInitContext context, Collection<KafkaWriterState> recoveredState)
            throws IOException {
        Optional<WriterStart> start = WriterStart.instance();
        if (start.isEmpty()) {
            return sink.restoreWriter(context, recoveredState);
        }
        return start.get()
                .start(
                        producerProperties,
                        transactionalIdPrefix,
                        serializer,
                        context,
                        recoveredState);
    }

    @Override
    public SimpleVersionedSerializer<KafkaWriterState> getWriterStateSerializer() {
        return sink.getWriterStateSerializer();
    }

    @Override
    public Committer<KafkaCommittable> createCommitter(CommitterInitContext context) {
        return sink.createCommitter(context);
    }

    @Override
    public SimpleVersionedSerializer<KafkaCommittable> getCommittableSerializer() {
        return sink.getCommittableSerializer();
    }

    @Override
    public void addPostCommitTopology(DataStream<CommittableMessage<KafkaCommittable>> committer) {
        sink.addPostCommitTopology(committer);
    }

    @Override
    public LineageVertex getLineageVertex() {
        return sink.getLineageVertex();
    }
}
