package io.layerskip.connectors.internal;

import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.time.Duration;
import java.util.Collection;
import java.util.Optional;
import java.util.Properties;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.api.connector.sink2.WriterInitContext;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaCommittable;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaWriterState;
import org.apache.flink.connector.kafka.sink.TwoPhaseCommittingStatefulSink.PrecommittingStatefulSinkWriter;
import org.apache.flink.connector.kafka.sink.internal.TransactionAbortStrategyImpl;
import org.apache.flink.connector.kafka.sink.internal.TransactionNamingStrategyImpl;
import org.apache.kafka.clients.admin.Admin;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Starts the connector's exactly-once writers and closes the admin client that they start with.
 *
 * <p>With it a writer lists the transactions that an earlier run left open, and then has no more
 * use for it. The one of flink-connector-kafka 5.0.0 never closes it, not even when its start
 * fails: a thread and its connections go on, one for every start of a subtask, and when the job is
 * gone they keep its classes in the TaskManager's metaspace. The connector has no way to its writer
 * before that has started, hence the reflection, all of it here.
 */
final class ExactlyOnceWriterFactory {

    private static final Logger LOG = LoggerFactory.getLogger(ExactlyOnceWriterFactory.class);
    private static final Optional<ExactlyOnceWriterFactory> INSTANCE = find();

    private final Constructor<?> constructor;
    private final Method initialize;
    private final Field adminClient;

    private ExactlyOnceWriterFactory(
            Constructor<?> constructor, Method initialize, Field adminClient) {
        this.constructor = constructor;
        this.initialize = initialize;
        this.adminClient = adminClient;
        constructor.setAccessible(true);
        initialize.setAccessible(true);
        adminClient.setAccessible(true);
    }

    /** None, with a warning, for a version of the connector whose writer is another one. */
    static Optional<ExactlyOnceWriterFactory> instance() {
        return INSTANCE;
    }

    private static Optional<ExactlyOnceWriterFactory> find() {
        try {
            Class<?> writer =
                    Class.forName("org.apache.flink.connector.kafka.sink.ExactlyOnceKafkaWriter");
            return Optional.of(
                    new ExactlyOnceWriterFactory(
                            writer.getDeclaredConstructor(
                                    DeliveryGuarantee.class,
                                    Properties.class,
                                    String.class,
                                    WriterInitContext.class,
                                    KafkaRecordSerializationSchema.class,
                                    SerializationSchema.InitializationContext.class,
                                    TransactionAbortStrategyImpl.class,
                                    TransactionNamingStrategyImpl.class,
                                    Collection.class),
                            writer.getDeclaredMethod("initialize"),
                            writer.getDeclaredField("adminClient")));
        } catch (ReflectiveOperationException | RuntimeException e) {
            LOG.warn(
                    "This flink-connector-kafka is not the one that was built with; should its sink"
                            + " leave admin clients running, they stay until the process ends: {}",
                    e.toString());
            return Optional.empty();
        }
    }

    /**
     * What KafkaSink does for exactly once with pooled transactional ids.
     *
     * @param properties of the producer, serializers included
     */
    @SuppressWarnings("unchecked")
    <T> PrecommittingStatefulSinkWriter<T, KafkaWriterState, KafkaCommittable> start(
            Properties properties,
            String transactionalIdPrefix,
            KafkaRecordSerializationSchema<T> serializer,
            WriterInitContext context,
            Collection<KafkaWriterState> recoveredState) {
        try {
            Object writer =
                    constructor.newInstance(
                            DeliveryGuarantee.EXACTLY_ONCE,
                            properties,
                            transactionalIdPrefix,
                            context,
                            serializer,
                            context.asSerializationSchemaInitializationContext(),
                            TransactionAbortStrategyImpl.LISTING,
                            TransactionNamingStrategyImpl.POOLING,
                            recoveredState);
            try {
                initialize.invoke(writer);
            } finally {
                closeAdminClient(writer);
            }
            return (PrecommittingStatefulSinkWriter<T, KafkaWriterState, KafkaCommittable>) writer;
        } catch (InvocationTargetException e) {
            if (e.getCause() instanceof Error error) {
                throw error;
            }
            // Neither constructor nor method declares a checked exception.
            throw (RuntimeException) e.getCause();
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("made accessible and yet is not", e);
        }
    }

    private void closeAdminClient(Object writer) throws IllegalAccessException {
        Admin admin = (Admin) adminClient.get(writer);
        if (admin != null) {
            admin.close(Duration.ZERO);
        }
    }
}
