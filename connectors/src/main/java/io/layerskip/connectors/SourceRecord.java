package io.layerskip.connectors;

import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.apache.flink.annotation.PublicEvolving;

/**
 * A record as it was read from Kafka, nothing of it interpreted.
 *
 * <p>The arrays are shared, not copied: nobody writes to them.
 *
 * @param topic it was read from
 * @param partition of the topic
 * @param offset in the partition
 * @param timestamp its timestamp in ms since 1970, the producer's or the broker's; negative if it
 *     has none
 * @param key its key; empty for Kafka's null
 * @param value its value; empty for Kafka's null
 * @param headers its headers, in order
 */
@PublicEvolving
public record SourceRecord(
        String topic,
        int partition,
        long offset,
        long timestamp,
        Optional<byte[]> key,
        Optional<byte[]> value,
        List<RecordHeader> headers) {

    public SourceRecord {
        headers = List.copyOf(headers);
    }

    /** Where it stands: topic-partition-offset. The id of a request that has none of its own. */
    public String position() {
        return topic + "-" + partition + "-" + offset;
    }

    /** Its timestamp; empty if it has none. */
    public Optional<Instant> time() {
        return timestamp < 0 ? Optional.empty() : Optional.of(Instant.ofEpochMilli(timestamp));
    }
}
