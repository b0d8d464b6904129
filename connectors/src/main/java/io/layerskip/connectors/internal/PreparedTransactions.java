package io.layerskip.connectors.internal;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.apache.flink.api.common.TaskInfo;
import org.apache.flink.connector.kafka.sink.KafkaCommittable;
import org.apache.flink.connector.kafka.sink.internal.BackchannelFactory;
import org.apache.flink.connector.kafka.sink.internal.ReadableBackchannel;
import org.apache.flink.connector.kafka.sink.internal.TransactionFinished;
import org.apache.flink.connector.kafka.sink.internal.WritableBackchannel;

/**
 * The transactions that a writer has prepared, until their ids may be used again. Stands between
 * the connector's committer, which says when a transaction has ended, and the connector's writer,
 * which then may use its id for another.
 *
 * <p>The writer is told only when a checkpoint is complete that does not hold the transaction any
 * more. Were it told at once, the id would be in use again while the last complete checkpoint still
 * holds the transaction. If the job failed then, it would commit the transaction a second time, and
 * neither the brokers' refusal nor what they know of the id would say whether the first time has
 * succeeded.
 */
final class PreparedTransactions implements AutoCloseable {

    /**
     * A transaction that waits for its commit.
     *
     * @param begun when it was begun, as of {@link System#nanoTime}
     * @param snapshot number of the writer's snapshot that it was prepared for
     */
    private record Uncommitted(long begun, long snapshot) {}

    /**
     * A transaction that has ended.
     *
     * @param snapshot number of the first of the writer's snapshots whose checkpoint does not hold
     *     it
     */
    private record Ended(TransactionFinished message, long snapshot) {}

    private final ReadableBackchannel<TransactionFinished> fromCommitter;
    private final WritableBackchannel<TransactionFinished> toWriter;
    private final Map<String, Uncommitted> uncommitted = new LinkedHashMap<>();
    private final Deque<Ended> ended = new ArrayDeque<>();
    private long snapshots;

    /** Number of the last snapshot whose checkpoint is known to be complete. */
    private long complete;

    /**
     * @param transactionalIdPrefix of the connector's writer, in the same subtask
     */
    PreparedTransactions(String transactionalIdPrefix, TaskInfo task) {
        int subtask = task.getIndexOfThisSubtask();
        int attempt = task.getAttemptNumber();
        BackchannelFactory channels = BackchannelFactory.getInstance();
        fromCommitter =
                channels.getReadableBackchannel(
                        subtask, attempt, committersChannel(transactionalIdPrefix));
        toWriter = channels.getWritableBackchannel(subtask, attempt, transactionalIdPrefix);
    }

    /**
     * The name under which the committer sends; the connector's writer listens under the prefix.
     */
    static String committersChannel(String transactionalIdPrefix) {
        return transactionalIdPrefix + "/ended";
    }

    /**
     * Adds one that was just prepared for the next snapshot.
     *
     * @param begun when it was begun, as of {@link System#nanoTime}
     */
    void add(KafkaCommittable transaction, long begun) {
        uncommitted.put(transaction.getTransactionalId(), new Uncommitted(begun, snapshots + 1));
    }

    /** The id of the oldest one that waits for its commit, and when it was begun. */
    Optional<Map.Entry<String, Long>> oldestUncommitted() {
        hearCommitter();
        return uncommitted.entrySet().stream()
                .findFirst()
                .map(oldest -> Map.entry(oldest.getKey(), oldest.getValue().begun()));
    }

    /** Tells the writer, which takes a snapshot next, of the ids that it may use again. */
    void beforeSnapshot() {
        hearCommitter();
        snapshots++;
        while (!ended.isEmpty() && ended.element().snapshot() <= complete) {
            toWriter.send(ended.remove().message());
        }
    }

    private void hearCommitter() {
        TransactionFinished message;
        while ((message = fromCommitter.poll()) != null) {
            Uncommitted transaction = uncommitted.remove(message.getTransactionId());
            // One that is not known was prepared before the job was last restored.
            if (transaction != null) {
                complete = Math.max(complete, transaction.snapshot());
            }
            ended.add(new Ended(message, snapshots + 1));
        }
    }

    @Override
    public void close() {
        fromCommitter.close();
        toWriter.close();
    }
}
