package io.layerskip.connectors.internal;

import org.apache.flink.annotation.Internal;

/** Which subtask reads a partition when Flink's enumerator for Kafka assigns it. */
@Internal
public final class PartitionOwner {

    private PartitionOwner() {}

    /**
     * The partitions of a topic lie one a subtask, in turn, beginning where the topic's name says.
     *
     * @return from 0 to one less than the parallelism
     */
    public static int subtask(String topic, int partition, int parallelism) {
        int first = ((topic.hashCode() * 31) & Integer.MAX_VALUE) % parallelism;
        return (first + partition) % parallelism;
    }
}
