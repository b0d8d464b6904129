package io.layerskip.connectors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class KafkaConfigurationTest {

    private static final Map<String, String> REQUIRED =
            Map.of(
                    "kafka.bootstrap.servers", "broker:9092",
                    "kafka.source.topics", "prompts",
                    "kafka.sink.topic", "completions",
                    "kafka.dead-letters.topic", "dead-letters");

    @Test
    void theDefaultsHoldTheGuarantees() {
        KafkaConfiguration configuration = configuration(Map.of());

        assertThat(configuration.startingOffsets()).isEqualTo(KafkaPosition.parse("COMMITTED"));
        assertThat(configuration.endingOffsets()).isEmpty();
        assertThat(configuration.isExactlyOnce()).isTrue();
        assertThat(configuration.transactionTimeout()).isEqualTo(Duration.ofMinutes(14));
        assertThat(configuration.transactionalIdPrefix()).isEqualTo("flink-layerskip:completions:");
        assertThat(configuration.acceptsLostTransactions()).isFalse();
        assertThat(configuration.consumerProperties())
                .containsEntry("isolation.level", "read_committed")
                .containsEntry("group.id", "flink-layerskip")
                .containsEntry("bootstrap.servers", "broker:9092");
        assertThat(configuration.producerProperties())
                .containsEntry("transaction.timeout.ms", "840000")
                .containsEntry("max.request.size", "16777216")
                .containsEntry("bootstrap.servers", "broker:9092");
    }

    @ParameterizedTest
    @CsvSource({"a, b", "a, topic-2", "a:topic, topic", "a::topic, topic"})
    void noDefaultTransactionalIdPrefixIsTheStartOfAnother(String group, String topic) {
        assertThat(prefix(group, topic)).doesNotStartWith(prefix("a", "topic"));
    }

    @Test
    void topicsAreSeparatedByCommasOrSemicolons() {
        assertThat(configuration(Map.of("kafka.source.topics", "a,b; c")).sourceTopics())
                .containsExactly("a", "b", "c");
    }

    @Test
    void topicsAreListedOrMatchedByAPattern() {
        assertThat(configuration(Map.of()).topicPattern()).isEmpty();
        assertThatThrownBy(() -> configuration(Map.of("kafka.source.topic-pattern", "prompts-.*")))
                .hasMessageContaining("option kafka.source.topics is set as well; allowed: one");
    }

    @Test
    void aPatternMustNotMatchWhatIsWritten() {
        Map<String, String> options =
                Map.of(
                        "kafka.bootstrap.servers", "broker:9092",
                        "kafka.source.topic-pattern", ".*s",
                        "kafka.sink.topic", "completions",
                        "kafka.dead-letters.topic", "dead");

        assertThatThrownBy(() -> KafkaConfiguration.from(Configuration.fromMap(options)))
                .hasMessage(
                        "option kafka.sink.topic is completions; allowed: a topic that"
                                + " kafka.source.topic-pattern does not match");
    }

    @Test
    void aPatternThatIsNoneIsRefused() {
        assertThatThrownBy(() -> configuration(Map.of("kafka.source.topic-pattern", "(")))
                .hasMessageContaining("option kafka.source.topic-pattern is (; allowed: a regular");
    }

    @Test
    void theTransactionTimeoutMayBeADuration() {
        assertThat(
                        configuration(Map.of("kafka.sink.transaction.timeout.ms", "12 min"))
                                .producerProperties())
                .containsEntry("transaction.timeout.ms", "720000");
    }

    @Test
    void furtherPropertiesPassThroughToTheirClient() {
        KafkaConfiguration configuration =
                configuration(
                        Map.of(
                                "kafka.source.security.protocol", "SASL_SSL",
                                "kafka.source.max.poll.records", "10",
                                "kafka.sink.compression.type", "lz4"));

        assertThat(configuration.consumerProperties())
                .containsEntry("security.protocol", "SASL_SSL")
                .containsEntry("max.poll.records", "10")
                .doesNotContainKeys("compression.type", "topics");
        assertThat(configuration.producerProperties())
                .containsEntry("compression.type", "lz4")
                .doesNotContainKeys("security.protocol", "topic", "max-record-size");
    }

    @Test
    void theSourceMayHaveBrokersOfItsOwn() {
        KafkaConfiguration configuration =
                configuration(Map.of("kafka.source.bootstrap.servers", "other:9092"));

        assertThat(configuration.consumerProperties())
                .containsEntry("bootstrap.servers", "other:9092");
        assertThat(configuration.producerProperties())
                .containsEntry("bootstrap.servers", "broker:9092");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "kafka.source.enable.auto.commit   | true",
                "kafka.source.commit.offsets.on.checkpoint | false",
                "kafka.source.auto.offset.reset    | latest",
                "kafka.source.key.deserializer     | x.Y",
                "kafka.source.value.deserializer   | x.Y",
                "kafka.source.starting-offsets     | yesterday",
                "kafka.source.ending-offsets       | EARLIEST",
                "kafka.source.ending-offsets       | tomorrow",
                "kafka.sink.delivery-guarantee     | NONE",
                "kafka.source.max-value-size       | 0",
                "kafka.source.group.id             | ''",
                "kafka.sink.transactional.id       | x",
                "kafka.sink.key.serializer         | x.Y",
                "kafka.sink.value.serializer       | x.Y",
                "kafka.sink.enable.idempotence     | false",
                "kafka.sink.acks                   | 1",
                "kafka.sink.retries                | 0",
                "kafka.sink.max.in.flight.requests.per.connection | 6",
                "kafka.source.topics               | ','",
                "kafka.source.topics               | a;\"b",
                "kafka.sink.max.request.size       | 1000000",
                "kafka.sink.buffer.memory          | 1000000",
                "kafka.sink.max-record-size        | 1 kb",
                "kafka.sink.max-record-size        | 3 gb",
                "kafka.sink.transaction.timeout.ms | 0",
                "kafka.sink.transaction.timeout.ms | soon",
                "kafka.sink.transaction.timeout.ms | 200000000000 d",
                "kafka.sink.transactional-id-prefix | ' '",
                "kafka.sink.accept-lost-transactions | perhaps",
                "kafka.sink.topic                  | prompts",
                "kafka.dead-letters.topic          | prompts",
                "kafka.dead-letters.topic          | completions",
            })
    void aValueThatIsNotAllowedIsNamed(String key, String value) {
        assertThatThrownBy(() -> configuration(Map.of(key, value)))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageContaining("option " + key + " is " + value + "; allowed: ");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "kafka.source.topics              | ','       | one or more topic names",
                "kafka.source.starting-offsets    | yesterday | COMMITTED, EARLIEST, LATEST or a time",
                "kafka.source.enable.auto.commit  | true      | no value; offsets are committed on"
                        + " checkpoints",
                "kafka.sink.max-record-size       | 1 kb      | a size from 65536 to 2147483647"
                        + " bytes, such as 4 mb",
                "kafka.sink.acks                  | 1         | all",
                "kafka.sink.retries               | many      | at least 1",
                "kafka.sink.max.in.flight.requests.per.connection | 6 | from 1 to 5",
                "kafka.sink.buffer.memory         | 1         | at least"
                        + " kafka.sink.max-record-size, 16777216 bytes",
                "kafka.sink.topic                 | prompts   | a topic that kafka.source.topics"
                        + " does not name",
                "kafka.dead-letters.topic         | completions | a topic that kafka.sink.topic does"
                        + " not name",
            })
    void aRefusalSaysWhatIsAllowed(String key, String value, String allowed) {
        assertThatThrownBy(() -> configuration(Map.of(key, value)))
                .hasMessage("option %s is %s; allowed: %s", key, value, allowed);
    }

    @Test
    void aSizeThatIsRefusedDoesNotHideWhatElseIsWrong() {
        assertThatThrownBy(
                        () ->
                                configuration(
                                        Map.of(
                                                "kafka.sink.max-record-size", "1 kb",
                                                "kafka.sink.max.request.size", "1000",
                                                "kafka.sink.topic", "prompts")))
                .message()
                .hasLineCount(3)
                .contains(
                        "option kafka.sink.max-record-size is 1 kb;",
                        "option kafka.sink.max.request.size is 1000;",
                        "option kafka.sink.topic is prompts;");
    }

    @Test
    void aPropertyThatKafkaRefusesIsNamed() {
        assertThatThrownBy(() -> configuration(Map.of("kafka.sink.linger.ms", "soon")))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageContaining("option kafka.sink.linger.ms: ")
                .hasMessageContaining("soon");
    }

    @Test
    void anUnknownOptionIsNamedWithTheKnownOnes() {
        assertThatThrownBy(() -> configuration(Map.of("kafka.topic", "x")))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageStartingWith("option kafka.topic is unknown; known: kafka.bootstrap")
                .hasMessageEndingWith(", kafka.source.*, kafka.sink.*");
    }

    @Test
    void everythingMissingIsNamedAtOnce() {
        assertThatThrownBy(() -> KafkaConfiguration.from(new Configuration()))
                .isInstanceOf(IllegalConfigurationException.class)
                .message()
                .hasLineCount(4)
                .contains(
                        "option kafka.bootstrap.servers is missing; allowed: host:port, or several"
                                + " separated by commas",
                        "option kafka.source.topics is missing; allowed: one or more topic names,"
                                + " or kafka.source.topic-pattern instead",
                        "option kafka.sink.topic is missing; allowed: a name, not blank",
                        "option kafka.dead-letters.topic is missing; allowed: a name, not blank");
    }

    @Test
    void aRefusalKeepsSecretsToItself() {
        assertThatThrownBy(
                        () ->
                                configuration(
                                        Map.of(
                                                "kafka.sink.sasl.jaas.config", "hunter2",
                                                "kafka.sink.ssl.key.password", "hunter2",
                                                "kafka.sink.acks", "0")))
                .isInstanceOf(IllegalConfigurationException.class)
                .message()
                .doesNotContain("hunter2");
    }

    private static String prefix(String group, String topic) {
        return configuration(Map.of("kafka.source.group.id", group, "kafka.sink.topic", topic))
                .transactionalIdPrefix();
    }

    private static KafkaConfiguration configuration(Map<String, String> changes) {
        Map<String, String> options = new HashMap<>(REQUIRED);
        options.putAll(changes);
        return KafkaConfiguration.from(Configuration.fromMap(options));
    }
}
