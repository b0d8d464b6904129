package io.layerskip.connectors;

import java.nio.charset.StandardCharsets;
import java.util.Optional;
import org.apache.flink.annotation.PublicEvolving;

/**
 * A header of a Kafka record.
 *
 * @param key its name; a record may have several headers of one name
 * @param value its bytes; empty for Kafka's null
 */
@PublicEvolving
public record RecordHeader(String key, Optional<byte[]> value) {

    /** A header whose value is text, in UTF-8. */
    public static RecordHeader ofText(String key, String value) {
        return new RecordHeader(key, Optional.of(value.getBytes(StandardCharsets.UTF_8)));
    }
}
