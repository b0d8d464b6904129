package io.layerskip.connectors.internal;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;
import org.apache.flink.connector.kafka.sink.KafkaCommittable;
import org.apache.flink.connector.kafka.util.AdminUtils;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.DescribeProducersResult.PartitionProducerState;
import org.apache.kafka.clients.admin.TransactionDescription;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.common.errors.TransactionalIdNotFoundException;

/**
 * Asks the brokers what became of a transaction whose commit they refused. They keep the last
 * transaction of an id, and the last epoch in which a producer id wrote to a partition.
 */
final class TransactionInquiry implements AutoCloseable {

    private static final Set<TransactionState> COMMITTED =
            Set.of(TransactionState.PREPARE_COMMIT, TransactionState.COMPLETE_COMMIT);
    private static final Set<TransactionState> ABORTED =
            Set.of(TransactionState.PREPARE_ABORT, TransactionState.COMPLETE_ABORT);

    private final Admin admin;
    private final List<String> topics;

    /**
     * @param producerProperties of the sink
     * @param topics that it writes to
     */
    TransactionInquiry(Properties producerProperties, List<String> topics) {
        this.admin = Brokers.admin(producerProperties);
        this.topics = topics;
    }

    /**
     * What is lost, as far as the brokers know, in words; empty if the transaction is committed.
     *
     * @throws IOException if the brokers do not say
     */
    Optional<String> lossOf(KafkaCommittable transaction) throws IOException, InterruptedException {
        Optional<TransactionDescription> last = last(transaction.getTransactionalId());
        if (last.isPresent() && isCommitted(transaction, last.get())) {
            return Optional.empty();
        }
        return Optional.of(
                "transaction %s (producer id %d, epoch %d), which wrote to %s: %s"
                        .formatted(
                                transaction.getTransactionalId(),
                                transaction.getProducerId(),
                                transaction.getEpoch(),
                                partitions(transaction),
                                reason(transaction, last)));
    }

    private Optional<TransactionDescription> last(String transactionalId)
            throws IOException, InterruptedException {
        try {
            return Optional.of(
                    admin.describeTransactions(List.of(transactionalId))
                            .description(transactionalId)
                            .get());
        } catch (ExecutionException e) {
            if (e.getCause() instanceof TransactionalIdNotFoundException) {
                return Optional.empty();
            }
            throw new IOException(
                    "transaction "
                            + transactionalId
                            + ": its commit was refused, and the brokers do not say what became"
                            + " of it",
                    e.getCause());
        }
    }

    static boolean isCommitted(KafkaCommittable transaction, TransactionDescription last) {
        return COMMITTED.contains(last.state()) && isSame(transaction, last);
    }

    /**
     * Whether the last transaction of an id is this one. Its end may have raised the epoch, and
     * what comes after the highest one is the first of another producer id.
     */
    private static boolean isSame(KafkaCommittable transaction, TransactionDescription last) {
        if (last.producerId() != transaction.getProducerId()) {
            return transaction.getEpoch() == Short.MAX_VALUE - 1 && last.producerEpoch() == 0;
        }
        return isEpochOf(transaction, last.producerEpoch());
    }

    private static boolean isEpochOf(KafkaCommittable transaction, int epoch) {
        return epoch == transaction.getEpoch() || epoch == transaction.getEpoch() + 1;
    }

    private static String reason(
            KafkaCommittable transaction, Optional<TransactionDescription> last) {
        if (last.isEmpty()) {
            return "they do not know its id any more, nor whether it was committed";
        }
        TransactionState state = last.get().state();
        if (ABORTED.contains(state) && isSame(transaction, last.get())) {
            return "they have aborted it, so its completions and dead letters are lost";
        }
        return ("its id has been used again since, and whether it was committed is not known"
                        + " (%s, producer id %d, epoch %d)")
                .formatted(state, last.get().producerId(), last.get().producerEpoch());
    }

    /** The partitions that it wrote to, as far as the brokers know them. */
    private String partitions(KafkaCommittable transaction) {
        String some = "partitions of " + String.join(", ", topics);
        try {
            String known =
                    AdminUtils.getProducerStates(admin, topics).entrySet().stream()
                            .filter(partition -> wroteTo(transaction, partition.getValue()))
                            .map(partition -> partition.getKey().toString())
                            .sorted()
                            .collect(Collectors.joining(", "));
            return known.isEmpty() ? some + " that are not known any more" : known;
        } catch (RuntimeException e) {
            return some + " that the brokers do not tell (" + e.getCause() + ")";
        }
    }

    private static boolean wroteTo(KafkaCommittable transaction, PartitionProducerState partition) {
        return partition.activeProducers().stream()
                .anyMatch(
                        producer ->
                                producer.producerId() == transaction.getProducerId()
                                        && isEpochOf(transaction, producer.producerEpoch()));
    }

    @Override
    public void close() {
        admin.close(Duration.ZERO);
    }
}
