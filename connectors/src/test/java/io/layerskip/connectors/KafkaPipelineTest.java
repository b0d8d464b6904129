package io.layerskip.connectors;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashMap;
import java.util.Map;
import java.util.OptionalLong;
import org.apache.flink.configuration.Configuration;
import org.junit.jupiter.api.Test;

/** What needs no broker; the rest is tested with one. */
class KafkaPipelineTest {

    @Test
    void aTopicsOwnMaximumCountsWhereItIsSmaller() {
        assertThat(largestRecord(Map.of(), OptionalLong.of(2_000_000))).isEqualTo(2_000_000);
    }

    @Test
    void aTopicThatMayNotBeSeenIsTakenToHaveKafkasDefault() {
        assertThat(largestRecord(Map.of(), OptionalLong.empty())).isEqualTo(1_048_588);
    }

    @Test
    void aSizeThatIsSetCountsForATopicThatMayNotBeSeen() {
        assertThat(
                        largestRecord(
                                Map.of("kafka.sink.max-record-size", "3000000 b"),
                                OptionalLong.empty()))
                .isEqualTo(3_000_000);
    }

    private static int largestRecord(Map<String, String> changes, OptionalLong topicMaximum) {
        Map<String, String> options = new HashMap<>(changes);
        options.put("kafka.bootstrap.servers", "broker:9092");
        options.put("kafka.source.topics", "prompts");
        options.put("kafka.sink.topic", "completions");
        options.put("kafka.dead-letters.topic", "dead-letters");
        KafkaConfiguration configuration = KafkaConfiguration.from(Configuration.fromMap(options));
        return KafkaPipeline.largestRecord(configuration, "completions", topicMaximum);
    }
}
