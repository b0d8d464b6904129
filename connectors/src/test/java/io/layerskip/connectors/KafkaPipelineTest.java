package io.layerskip.connectors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HashMap;
import java.util.Map;
import java.util.OptionalLong;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.streaming.api.environment.CheckpointConfig;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

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

    @ParameterizedTest
    @CsvSource({
        "13 s, 2 s, 0 s, 10 s",
        "13 s, 2 s, 2 s, 10 s",
        "14 min, 10 s, 3 min, 10 min",
    })
    void aTransactionMayStayOpenForACheckpointAndWhatComesBefore(
            String transaction, String interval, String minPause, String timeout) {
        assertThatCode(() -> checkCheckpoints(transaction, interval, minPause, timeout))
                .doesNotThrowAnyException();
    }

    @ParameterizedTest
    @CsvSource({
        "12 s, 2 s, 0 s, 10 s, 12000",
        "13 s, 2 s, 3 s, 10 s, 13000",
        "14 min, 10 s, 5 min, 10 min, 900000",
    })
    void aTransactionThatCannotStayOpenForThatLongIsRefused(
            String transaction, String interval, String minPause, String timeout, long longest) {
        assertThatThrownBy(() -> checkCheckpoints(transaction, interval, minPause, timeout))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageStartingWith("option kafka.sink.transaction.timeout.ms is ")
                .hasMessageEndingWith(
                        "allowed: a time of which 95 % is more than"
                                + " execution.checkpointing.interval (or"
                                + " execution.checkpointing.min-pause, if that is longer) and"
                                + " execution.checkpointing.timeout together, "
                                + longest
                                + " ms");
    }

    private static void checkCheckpoints(
            String transaction, String interval, String minPause, String timeout) {
        CheckpointConfig checkpoints = new CheckpointConfig();
        checkpoints.configure(
                Configuration.fromMap(
                        Map.of(
                                "execution.checkpointing.interval", interval,
                                "execution.checkpointing.min-pause", minPause,
                                "execution.checkpointing.timeout", timeout)));
        KafkaPipeline.checkCheckpoints(
                configuration(Map.of("kafka.sink.transaction.timeout.ms", transaction)),
                checkpoints);
    }

    private static int largestRecord(Map<String, String> changes, OptionalLong topicMaximum) {
        return KafkaPipeline.largestRecord(configuration(changes), "completions", topicMaximum);
    }

    private static KafkaConfiguration configuration(Map<String, String> changes) {
        Map<String, String> options = new HashMap<>(changes);
        options.put("kafka.bootstrap.servers", "broker:9092");
        options.put("kafka.source.topics", "prompts");
        options.put("kafka.sink.topic", "completions");
        options.put("kafka.dead-letters.topic", "dead-letters");
        return KafkaConfiguration.from(Configuration.fromMap(options));
    }
}
