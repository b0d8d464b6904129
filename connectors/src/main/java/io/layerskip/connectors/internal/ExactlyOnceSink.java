package io.layerskip.connectors.internal;

import io.layerskip.connectors.OutgoingRecord;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.Properties;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.TaskInfo;
import org.apache.flink.api.connector.sink2.Committer;
import org.apache.flink.api.connector.sink2.CommitterInitContext;
import org.apache.flink.api.connector.sink2.WriterInitContext;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaCommittable;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.sink.KafkaWriterState;
import org.apache.flink.connector.kafka.sink.TransactionNamingStrategy;
import org.apache.flink.connector.kafka.sink.TwoPhaseCommittingStatefulSink;
import org.apache.flink.connector.kafka.sink.internal.FlinkKafkaInternalProducer;
import org.apache.flink.connector.kafka.sink.internal.KafkaCommitter;
import org.apache.flink.core.io.SimpleVersionedSerializer;
import org.apache.flink.streaming.api.connector.sink2.CommittableMessage;
import org.apache.flink.streaming.api.connector.sink2.SupportsPostCommitTopology;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.lineage.LineageVertex;
import org.apache.flink.streaming.api.lineage.LineageVertexProvider;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * The connector's exactly-once sink with pooled transactional ids, except that
 *
 * <ul>
 *   <li>a writer fails before one of its transactions is too old to be committed, see {@link
 *       WatchingWriter};
 *   <li>a transaction that is lost all the same ends the job, see {@link CheckedCommitter};
 *   <li>writers leave no admin client behind, see {@link ExactlyOnceWriterFactory}.
 * </ul>
 *
 * <p>All else is the connector's, what stands in savepoints included.
 */
@Internal
public final class ExactlyOnceSink
        implements TwoPhaseCommittingStatefulSink<
                        OutgoingRecord, KafkaWriterState, KafkaCommittable>,
                SupportsPostCommitTopology<KafkaCommittable>,
                LineageVertexProvider {

    private static final long serialVersionUID = 1;

    private final Properties producerProperties;
    private final String transactionalIdPrefix;
    private final ArrayList<String> topics;
    private final boolean acceptsLoss;
    private final OutgoingRecordSerializer serializer;
    private final KafkaSink<OutgoingRecord> sink;

    /**
     * @param producerProperties with the transactions' timeout
     * @param transactionalIdPrefix no other sink's prefix is the start of it
     * @param topics all that records may name
     * @param acceptsLoss whether the job goes on when a commit is refused
     */
    public ExactlyOnceSink(
            Properties producerProperties,
            String transactionalIdPrefix,
            List<String> topics,
            boolean acceptsLoss) {
        this.producerProperties = withSerializers(producerProperties);
        this.transactionalIdPrefix = transactionalIdPrefix;
        this.topics = new ArrayList<>(topics);
        this.acceptsLoss = acceptsLoss;
        this.serializer = new OutgoingRecordSerializer(topics);
        this.sink =
                KafkaSink.<OutgoingRecord>builder()
                        .setKafkaProducerConfig(producerProperties)
                        .setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE)
                        .setTransactionNamingStrategy(TransactionNamingStrategy.POOLING)
                        .setTransactionalIdPrefix(transactionalIdPrefix)
                        .setRecordSerializer(serializer)
                        .build();
    }

    /**
     * How old a transaction may become before its commit: 95 % of the timeout. The rest is for a
     * checkpoint that completes at the moment when the job fails. The job then restarts from that
     * one, and has to commit its transactions before the brokers abort them.
     *
     * @param transactionTimeout after which the brokers abort a transaction
     */
    public static Duration commitLimit(Duration transactionTimeout) {
        return transactionTimeout.minus(transactionTimeout.dividedBy(20));
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
    public PrecommittingStatefulSinkWriter<OutgoingRecord, KafkaWriterState, KafkaCommittable>
            createWriter(WriterInitContext context) throws IOException {
        return restoreWriter(context, List.of());
    }

    @Override
    public PrecommittingStatefulSinkWriter<OutgoingRecord, KafkaWriterState, KafkaCommittable>
            restoreWriter(WriterInitContext context, Collection<KafkaWriterState> recoveredState)
                    throws IOException {
        return new WatchingWriter<>(
                startWriter(context, RecoveredWriterStates.withLatestUses(recoveredState)),
                new PreparedTransactions(transactionalIdPrefix, context.getTaskInfo()),
                context.getProcessingTimeService(),
                Duration.ofMillis(
                        Long.parseLong(
                                producerProperties.getProperty(
                                        ProducerConfig.TRANSACTION_TIMEOUT_CONFIG))));
    }

    private PrecommittingStatefulSinkWriter<OutgoingRecord, KafkaWriterState, KafkaCommittable>
            startWriter(WriterInitContext context, Collection<KafkaWriterState> recoveredState)
                    throws IOException {
        Optional<ExactlyOnceWriterFactory> factory = ExactlyOnceWriterFactory.instance();
        if (factory.isEmpty()) {
            return sink.restoreWriter(context, recoveredState);
        }
        return factory.get()
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
        TaskInfo task = context.getTaskInfo();
        return new CheckedCommitter(
                new KafkaCommitter(
                        producerProperties,
                        PreparedTransactions.committersChannel(transactionalIdPrefix),
                        task.getIndexOfThisSubtask(),
                        task.getAttemptNumber(),
                        true,
                        FlinkKafkaInternalProducer::new),
                () -> new TransactionInquiry(producerProperties, topics),
                context.metricGroup().addGroup("layerskip").counter("lostTransactions"),
                acceptsLoss);
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
