package io.layerskip.connectors.internal;

import java.io.IOException;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.flink.api.connector.source.ReaderInfo;
import org.apache.flink.api.connector.source.SourceEvent;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.connector.kafka.source.enumerator.KafkaSourceEnumState;
import org.apache.flink.connector.kafka.source.split.KafkaPartitionSplit;

/**
 * Flink's enumerator for Kafka, which also assigns the partitions that readers bring along from a
 * checkpoint, as if it had just found them.
 *
 * <p>A partition is taken from its owner whenever that one registers, but from another reader once
 * only. A reader that fails alone before the first checkpoint comes back with the same state, and
 * by then what it brought for others is read elsewhere.
 */
final class RoutingEnumerator
        implements SplitEnumerator<KafkaPartitionSplit, KafkaSourceEnumState> {

    private final SplitEnumerator<KafkaPartitionSplit, KafkaSourceEnumState> enumerator;
    private final SplitEnumeratorContext<KafkaPartitionSplit> context;
    private final Set<Integer> seen = new HashSet<>();

    RoutingEnumerator(
            SplitEnumerator<KafkaPartitionSplit, KafkaSourceEnumState> enumerator,
            SplitEnumeratorContext<KafkaPartitionSplit> context) {
        this.enumerator = enumerator;
        this.context = context;
    }

    @Override
    public void addReader(int subtask) {
        boolean isNew = seen.add(subtask);
        ReaderInfo reader = context.registeredReaders().get(subtask);
        List<KafkaPartitionSplit> restored =
                reader.<KafkaPartitionSplit>getReportedSplitsOnRegistration().stream()
                        .filter(split -> isNew || owner(split) == subtask)
                        .toList();
        enumerator.addSplitsBack(restored, subtask);
        // What this one has brought may be for those that came before it.
        context.registeredReaders().keySet().forEach(enumerator::addReader);
    }

    private int owner(KafkaPartitionSplit split) {
        return PartitionOwner.subtask(
                split.getTopic(), split.getPartition(), context.currentParallelism());
    }

    @Override
    public void start() {
        enumerator.start();
    }

    @Override
    public void handleSplitRequest(int subtask, String requesterHostname) {
        enumerator.handleSplitRequest(subtask, requesterHostname);
    }

    @Override
    public void handleSourceEvent(int subtask, SourceEvent event) {
        enumerator.handleSourceEvent(subtask, event);
    }

    @Override
    public void addSplitsBack(List<KafkaPartitionSplit> splits, int subtask) {
        enumerator.addSplitsBack(splits, subtask);
    }

    @Override
    public KafkaSourceEnumState snapshotState(long checkpointId) throws Exception {
        return enumerator.snapshotState(checkpointId);
    }

    @Override
    public void notifyCheckpointComplete(long checkpointId) throws Exception {
        enumerator.notifyCheckpointComplete(checkpointId);
    }

    @Override
    public void notifyCheckpointAborted(long checkpointId) throws Exception {
        enumerator.notifyCheckpointAborted(checkpointId);
    }

    @Override
    public void close() throws IOException {
        enumerator.close();
    }
}
