package io.layerskip.connectors.internal;

import io.layerskip.connectors.KafkaOptions;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import org.apache.flink.api.connector.sink2.Committer;
import org.apache.flink.connector.kafka.sink.KafkaCommittable;
import org.apache.flink.connector.kafka.sink.internal.KafkaCommitter;
import org.apache.flink.metrics.Counter;
import org.apache.flink.runtime.execution.SuppressRestartsException;
import org.apache.kafka.common.errors.InvalidPidMappingException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The connector's committer, except that a transaction that is lost ends the job, unless that is
 * accepted; the connector's only logs it and goes on. The job does not restart, as its checkpoint
 * would bring the same transaction again.
 *
 * <p>A job that starts from a checkpoint commits transactions that it may have committed before.
 * Brokers with version 2 of transactions (Kafka 4) refuse these too, so they are asked what became
 * of a transaction before it counts as lost. Their answer is about the last transaction of an id:
 * {@link PreparedTransactions} sees to it that this is the one.
 */
final class CheckedCommitter implements Committer<KafkaCommittable> {

    private static final Logger LOG = LoggerFactory.getLogger(CheckedCommitter.class);

    private final KafkaCommitter committer;
    private final Supplier<TransactionInquiry> inquiries;
    private final Counter lostTransactions;
    private final boolean acceptsLoss;

    /**
     * @param acceptsLoss whether the job goes on when a transaction is lost
     */
    CheckedCommitter(
            KafkaCommitter committer,
            Supplier<TransactionInquiry> inquiries,
            Counter lostTransactions,
            boolean acceptsLoss) {
        this.committer = committer;
        this.inquiries = inquiries;
        this.lostTransactions = lostTransactions;
        this.acceptsLoss = acceptsLoss;
    }

    /**
     * @throws SuppressRestartsException if a transaction is lost, unless that is accepted
     * @throws IOException if the brokers cannot be asked; another try may succeed
     */
    @Override
    public void commit(Collection<CommitRequest<KafkaCommittable>> requests)
            throws IOException, InterruptedException {
        List<Refusal> refusals = new ArrayList<>();
        List<CommitRequest<KafkaCommittable>> noted = new ArrayList<>();
        requests.forEach(request -> noted.add(new NotingRequest(request, refusals)));
        committer.commit(noted);
        if (!refusals.isEmpty()) {
            settle(refusals);
        }
    }

    private void settle(List<Refusal> refusals) throws IOException, InterruptedException {
        List<String> losses = new ArrayList<>();
        List<String> committed = new ArrayList<>();
        try (TransactionInquiry inquiry = inquiries.get()) {
            for (Refusal refusal : refusals) {
                Optional<String> loss = inquiry.lossOf(refusal.request().getCommittable());
                if (loss.isPresent()) {
                    losses.add(loss.get());
                    refusal.request().signalFailedWithKnownReason(refusal.reason());
                } else {
                    committed.add(refusal.request().getCommittable().getTransactionalId());
                    refusal.request().signalAlreadyCommitted();
                }
            }
        }
        if (!committed.isEmpty()) {
            LOG.info(
                    "Nothing is lost of transactions {}, which had been committed before",
                    committed);
        }
        if (losses.isEmpty()) {
            return;
        }
        lostTransactions.inc(losses.size());
        String lost = "The brokers refuse to commit " + String.join("; ", losses);
        if (acceptsLoss) {
            LOG.error("{}", lost);
        } else {
            Throwable reason = refusals.get(0).reason();
            throw new SuppressRestartsException(new IOException(lost + whatToDo(), reason));
        }
    }

    private static String whatToDo() {
        return (". This happens when the job is down, between a checkpoint and its commit, for longer"
                        + " than %s, when another job uses its %s, and when it starts from a"
                        + " checkpoint or savepoint that is not its last. To have the requests"
                        + " answered, start the job from a savepoint, or from offsets of the source"
                        + " topics, that lie before them; that repeats others too. To go on without"
                        + " them, start it from its last checkpoint with %s: true. Do so too if the"
                        + " job ran on after this checkpoint or savepoint, because then it has"
                        + " committed them itself")
                .formatted(
                        KafkaOptions.SINK_TRANSACTION_TIMEOUT.key(),
                        KafkaOptions.SINK_TRANSACTIONAL_ID_PREFIX.key(),
                        KafkaOptions.SINK_ACCEPT_LOST_TRANSACTIONS.key());
    }

    @Override
    public void close() throws IOException {
        committer.close();
    }

    private record Refusal(CommitRequest<KafkaCommittable> request, Throwable reason) {}

    /**
     * A request that notes a refusal instead of passing it on.
     *
     * @param refusals is added to
     */
    private record NotingRequest(CommitRequest<KafkaCommittable> request, List<Refusal> refusals)
            implements CommitRequest<KafkaCommittable> {

        @Override
        public void signalFailedWithKnownReason(Throwable reason) {
            refusals.add(new Refusal(request, reason));
        }

        @Override
        public void signalFailedWithUnknownReason(Throwable reason) {
            // The connector does not know it, but it is no less final: the brokers have forgotten
            // the id, or gave it another producer id after the last epoch.
            if (reason instanceof InvalidPidMappingException) {
                refusals.add(new Refusal(request, reason));
            } else {
                request.signalFailedWithUnknownReason(reason);
            }
        }

        @Override
        public KafkaCommittable getCommittable() {
            return request.getCommittable();
        }

        @Override
        public int getNumberOfRetries() {
            return request.getNumberOfRetries();
        }

        @Override
        public void retryLater() {
            request.retryLater();
        }

        @Override
        public void updateAndRetryLater(KafkaCommittable committable) {
            request.updateAndRetryLater(committable);
        }

        @Override
        public void signalAlreadyCommitted() {
            request.signalAlreadyCommitted();
        }

        @Override
        public String toString() {
            return request.toString();
        }
    }
}
