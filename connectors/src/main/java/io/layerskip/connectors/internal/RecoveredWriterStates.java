package io.layerskip.connectors.internal;

import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.connector.kafka.sink.KafkaWriterState;
import org.apache.flink.connector.kafka.sink.internal.CheckpointTransaction;

/**
 * What a subtask's writer finds in a checkpoint, possibly of several subtasks whose place it takes.
 *
 * <p>A subtask that has taken the place of two keeps the uncommitted transactions of both in the
 * state of the first one. After another change of parallelism, the second one's state, which lacks
 * them, may be another subtask's, which uses their ids again while the first subtask still lists
 * them. When the two states come together, an id is there twice, and the connector's writer (as of
 * flink-connector-kafka 5.0.0) then fails at each checkpoint.
 */
final class RecoveredWriterStates {

    private RecoveredWriterStates() {}

    /** The states with each transactional id once: an earlier use of it has ended. */
    static List<KafkaWriterState> withLatestUses(Collection<KafkaWriterState> states) {
        Map<String, Long> latest = new HashMap<>();
        for (KafkaWriterState state : states) {
            for (CheckpointTransaction transaction : state.getPrecommittedTransactionalIds()) {
                latest.merge(
                        transaction.getTransactionalId(), transaction.getCheckpointId(), Math::max);
            }
        }
        return states.stream().map(state -> withLatestUses(state, latest)).toList();
    }

    private static KafkaWriterState withLatestUses(
            KafkaWriterState state, Map<String, Long> latest) {
        return new KafkaWriterState(
                state.getTransactionalIdPrefix(),
                state.getOwnedSubtaskId(),
                state.getTotalNumberOfOwnedSubtasks(),
                state.getTransactionOwnership(),
                state.getPrecommittedTransactionalIds().stream()
                        .filter(
                                transaction ->
                                        latest.get(transaction.getTransactionalId())
                                                == transaction.getCheckpointId())
                        .toList());
    }
}
