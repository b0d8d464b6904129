package io.layerskip.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.layerskip.connectors.internal.ExactlyOnceSink;
import io.layerskip.local.EmbeddedBroker;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.UUID;
import org.apache.flink.connector.kafka.sink.KafkaCommittable;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.TransactionListing;
import org.apache.kafka.clients.admin.TransactionState;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A sink's transactions from their first record to their commit, at a real broker. */
class TransactionsITCase {

    private static final String TOPIC = "completions";
    private static final Duration TIMEOUT = Duration.ofSeconds(4);
    private static final Duration DEADLINE = Duration.ofSeconds(60);

    private static EmbeddedBroker broker;
    private static Admin admin;

    private final String prefix = UUID.randomUUID().toString();
    @AutoClose private SinkSubtask subtask;

    @BeforeAll
    static void startBroker() throws Exception {
        broker =
                EmbeddedBroker.start(
                        Map.of(
                                "transaction.abort.timed.out.transaction.cleanup.interval.ms",
                                "200"));
        broker.createTopics(1, TOPIC);
        admin = Admin.create(Map.of("bootstrap.servers", broker.bootstrapServers()));
    }

    @AfterAll
    static void stopBroker() {
        admin.close();
        broker.close();
    }

    @BeforeEach
    void startSubtask() throws Exception {
        Properties properties = new Properties();
        properties.setProperty("bootstrap.servers", broker.bootstrapServers());
        properties.setProperty("transaction.timeout.ms", Long.toString(TIMEOUT.toMillis()));
        subtask = SinkSubtask.start(new ExactlyOnceSink(properties, prefix, List.of(TOPIC), false));
    }

    @Test
    void aWriterFailsBeforeTheBrokersAbortATransactionThatWaitsForItsCommit() throws Exception {
        subtask.write(TOPIC);
        KafkaCommittable transaction = subtask.snapshot(1);

        assertThatThrownBy(() -> fireTimersFor(DEADLINE))
                .hasStackTraceContaining("transaction " + transaction.getTransactionalId())
                .hasStackTraceContaining("kafka.sink.transaction.timeout.ms, 4000 ms");
        assertThat(states()).contains(TransactionState.ONGOING);
    }

    @Test
    void aWriterFailsBeforeTheBrokersAbortATransactionThatIsStillWrittenTo() throws Exception {
        subtask.write(TOPIC);

        assertThatThrownBy(() -> fireTimersFor(DEADLINE))
                .hasStackTraceContaining("a transaction that is still written to was begun");
        assertThat(states()).contains(TransactionState.ONGOING);
    }

    @Test
    void aTransactionThatTheBrokersHaveAbortedIsPreparedForNoCheckpoint() throws Exception {
        subtask.write(TOPIC);
        awaitState(TransactionState.COMPLETE_ABORT);

        assertThatThrownBy(() -> subtask.snapshot(1))
                .hasMessageContaining("a transaction that is still written to was begun");
    }

    @Test
    void aTransactionThatIsCommittedNeedNotBeYoung() throws Exception {
        subtask.write(TOPIC);
        subtask.snapshot(1);
        subtask.complete(1);

        fireTimersFor(TIMEOUT);

        assertThat(states()).contains(TransactionState.COMPLETE_COMMIT);
    }

    @Test
    void anIdIsUsedAgainWhenACheckpointWithoutItsTransactionIsComplete() throws Exception {
        List<String> ids = new ArrayList<>();
        for (int checkpoint = 1; checkpoint <= 4; checkpoint++) {
            subtask.write(TOPIC);
            ids.add(subtask.snapshot(checkpoint).getTransactionalId());
            subtask.complete(checkpoint);
        }

        assertThat(ids.subList(0, 3)).doesNotHaveDuplicates();
        assertThat(ids.get(3)).isEqualTo(ids.get(0));
    }

    @Test
    void noIdIsUsedAgainWhileCheckpointsFail() throws Exception {
        List<String> ids = new ArrayList<>();
        for (int checkpoint = 1; checkpoint <= 5; checkpoint++) {
            subtask.write(TOPIC);
            ids.add(subtask.snapshot(checkpoint).getTransactionalId());
            if (checkpoint == 1) {
                subtask.complete(checkpoint);
            }
        }

        assertThat(ids).doesNotHaveDuplicates();
    }

    private void fireTimersFor(Duration time) throws Exception {
        long end = System.nanoTime() + time.toNanos();
        while (System.nanoTime() < end) {
            subtask.fireTimers();
        }
    }

    private void awaitState(TransactionState state) throws Exception {
        long deadline = System.nanoTime() + DEADLINE.toNanos();
        while (!states().contains(state) && System.nanoTime() < deadline) {}
        assertThat(states()).contains(state);
    }

    /** Of this test's transactions. */
    private List<TransactionState> states() throws Exception {
        return admin.listTransactions().all().get().stream()
                .filter(transaction -> transaction.transactionalId().startsWith(prefix))
                .map(TransactionListing::state)
                .toList();
    }
}
