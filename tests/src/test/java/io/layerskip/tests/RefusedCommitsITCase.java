package io.layerskip.tests;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.layerskip.connectors.internal.ExactlyOnceSink;
import io.layerskip.local.EmbeddedBroker;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.UUID;
import org.apache.flink.connector.kafka.sink.KafkaCommittable;
import org.apache.flink.connector.kafka.sink.internal.FlinkKafkaInternalProducer;
import org.apache.flink.runtime.execution.SuppressRestartsException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.FeatureUpdate;
import org.apache.kafka.clients.admin.FeatureUpdate.UpgradeType;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.admin.UpdateFeaturesOptions;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.AfterParameterizedClassInvocation;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What becomes of a commit that the brokers refuse, with both versions of Kafka's transactions: in
 * version 2 each commit raises the producer's epoch, so one that is repeated is refused too.
 */
@ParameterizedClass
@ValueSource(shorts = {1, 2})
class RefusedCommitsITCase {

    private static final List<String> TOPICS = List.of("completions", "dead-letters");
    private static final Duration DEADLINE = Duration.ofSeconds(60);

    private static EmbeddedBroker broker;
    private static Admin admin;

    private final String id = UUID.randomUUID().toString();
    @AutoClose private FlinkKafkaInternalProducer<byte[], byte[]> producer;
    @AutoClose private SinkSubtask subtask;

    RefusedCommitsITCase(short version) {}

    @BeforeParameterizedClassInvocation
    static void startBroker(short version) throws Exception {
        broker =
                EmbeddedBroker.start(
                        Map.of(
                                "transaction.abort.timed.out.transaction.cleanup.interval.ms",
                                "200"));
        broker.createTopics(3, TOPICS.toArray(String[]::new));
        admin = Admin.create(properties(Duration.ofMinutes(1)));
        FeatureUpdate update =
                new FeatureUpdate(
                        version, version < 2 ? UpgradeType.SAFE_DOWNGRADE : UpgradeType.UPGRADE);
        admin.updateFeatures(Map.of("transaction.version", update), new UpdateFeaturesOptions())
                .all()
                .get();
    }

    @AfterParameterizedClassInvocation
    static void stopBroker() {
        admin.close();
        broker.close();
    }

    @Test
    void aCommitThatIsRepeatedAfterAFailureLosesNothing() throws Exception {
        KafkaCommittable transaction = prepare(Duration.ofMinutes(1));
        producer.commitTransaction();
        startSubtask(false);

        assertThatCode(() -> subtask.commit(transaction)).doesNotThrowAnyException();
    }

    @Test
    void aTransactionThatTheBrokersAbortedEndsTheJobWithAnErrorThatNamesIt() throws Exception {
        KafkaCommittable transaction = prepareAndLetTheBrokersAbort();
        startSubtask(false);

        assertThatThrownBy(() -> subtask.commit(transaction))
                .isInstanceOf(SuppressRestartsException.class)
                .cause()
                .hasMessageContaining("transaction " + id)
                .hasMessageContaining("which wrote to completions-1, dead-letters-2: ")
                .hasMessageContaining(
                        "they have aborted it, so its completions and dead letters are lost")
                .hasMessageContaining("kafka.sink.accept-lost-transactions: true");
    }

    @Test
    void aTransactionThatTheBrokersAbortedIsPassedOverWhereThatIsAccepted() throws Exception {
        KafkaCommittable transaction = prepareAndLetTheBrokersAbort();
        startSubtask(true);

        assertThatCode(() -> subtask.commit(transaction)).doesNotThrowAnyException();
    }

    @Test
    void aTransactionWhoseIdWasUsedAgainEndsTheJob() throws Exception {
        KafkaCommittable transaction = prepare(Duration.ofMinutes(1));
        try (FlinkKafkaInternalProducer<byte[], byte[]> another = producer(Duration.ofMinutes(1))) {
            another.initTransactions();
        }
        startSubtask(false);

        assertThatThrownBy(() -> subtask.commit(transaction))
                .isInstanceOf(SuppressRestartsException.class)
                .cause()
                .hasMessageContaining("its id has been used again since");
    }

    @Test
    void aTransactionWhoseIdTheBrokersHaveForgottenEndsTheJob() throws Exception {
        KafkaCommittable known = prepare(Duration.ofMinutes(1));
        KafkaCommittable transaction =
                new KafkaCommittable(
                        known.getProducerId() + 1_000, known.getEpoch(), "forgotten-" + id, null);
        startSubtask(false);

        assertThatThrownBy(() -> subtask.commit(transaction))
                .isInstanceOf(SuppressRestartsException.class)
                .cause()
                .hasMessageContaining("which wrote to partitions of completions, dead-letters")
                .hasMessageContaining("they do not know its id any more");
    }

    private KafkaCommittable prepareAndLetTheBrokersAbort() throws Exception {
        KafkaCommittable transaction = prepare(Duration.ofSeconds(2));
        long deadline = System.nanoTime() + DEADLINE.toNanos();
        TransactionState state;
        do {
            state = admin.describeTransactions(List.of(id)).description(id).get().state();
        } while (state != TransactionState.COMPLETE_ABORT && System.nanoTime() < deadline);
        return transaction;
    }

    /** A transaction with a record in each topic, as a checkpoint gives it back. */
    private KafkaCommittable prepare(Duration timeout) {
        producer = producer(timeout);
        producer.initTransactions();
        producer.beginTransaction();
        producer.send(new ProducerRecord<>("completions", 1, null, new byte[] {1}));
        producer.send(new ProducerRecord<>("dead-letters", 2, null, new byte[] {1}));
        producer.flush();
        producer.precommitTransaction();
        return new KafkaCommittable(producer.getProducerId(), producer.getEpoch(), id, null);
    }

    private FlinkKafkaInternalProducer<byte[], byte[]> producer(Duration timeout) {
        Properties properties = properties(timeout);
        properties.setProperty("key.serializer", ByteArraySerializer.class.getName());
        properties.setProperty("value.serializer", ByteArraySerializer.class.getName());
        return new FlinkKafkaInternalProducer<>(properties, id);
    }

    private void startSubtask(boolean acceptsLoss) throws Exception {
        subtask =
                SinkSubtask.start(
                        new ExactlyOnceSink(
                                properties(Duration.ofMinutes(1)),
                                UUID.randomUUID().toString(),
                                TOPICS,
                                acceptsLoss));
    }

    private static Properties properties(Duration transactionTimeout) {
        Properties properties = new Properties();
        properties.setProperty("bootstrap.servers", broker.bootstrapServers());
        properties.setProperty(
                "transaction.timeout.ms", Long.toString(transactionTimeout.toMillis()));
        return properties;
    }
}
