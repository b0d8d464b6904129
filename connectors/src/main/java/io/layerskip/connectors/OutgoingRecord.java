package io.layerskip.connectors;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import org.apache.flink.annotation.PublicEvolving;

/**
 * A record for Kafka: a completion or a dead letter. Its timestamp is the time at which it is sent.
 *
 * <p>The source's timestamp would be tempting and wrong: a topic's retention would delete the
 * completions of old prompts, and a broker refuses timestamps that lie in the future.
 *
 * @param topic to write to
 * @param key its key; empty for Kafka's null
 * @param value its value; empty for Kafka's null
 * @param headers its headers, in order
 */
@PublicEvolving
public record OutgoingRecord(
        String topic, Optional<byte[]> key, Optional<byte[]> value, List<RecordHeader> headers) {

    /** What Kafka puts around the only record of a batch, and the lengths within it; generous. */
    private static final int BATCH_OVERHEAD = 128;

    /** The two lengths that stand before a header's name and value. */
    private static final int HEADER_OVERHEAD = 10;

    public OutgoingRecord {
        headers = List.copyOf(headers);
    }

    /** At most this many bytes is what Kafka makes of it, uncompressed, in a batch of its own. */
    public long maxBatchBytes() {
        long bytes = BATCH_OVERHEAD + length(key) + length(value);
        for (RecordHeader header : headers) {
            bytes += HEADER_OVERHEAD + length(header.value());
            bytes += header.key().getBytes(StandardCharsets.UTF_8).length;
        }
        return bytes;
    }

    private static long length(Optional<byte[]> bytes) {
        return bytes.map(present -> present.length).orElse(0);
    }
}
