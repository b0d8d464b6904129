package io.layerskip.connectors;

import java.time.Duration;
import java.util.List;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.MemorySize;

/**
 * What can be set about Kafka; {@link KafkaConfiguration} reads and checks it.
 *
 * <p>Any other key that starts with {@value #SOURCE_PREFIX} or {@value #SINK_PREFIX} is, without
 * the prefix, a property of the Kafka consumer or producer: {@code kafka.source.security.protocol}
 * and {@code kafka.sink.sasl.jaas.config} for example.
 */
@PublicEvolving
public final class KafkaOptions {

    /** Every option here starts with it. */
    public static final String PREFIX = "kafka.";

    /** Properties of the consumer start with it. */
    public static final String SOURCE_PREFIX = "kafka.source.";

    /** Properties of the producer start with it. */
    public static final String SINK_PREFIX = "kafka.sink.";

    /** Where reading starts when there is no checkpoint to start from. */
    public enum StartingOffsets {
        /** At the consumer group's committed offsets; where it has none, at the earliest. */
        COMMITTED,
        /** At the first record that is there. */
        EARLIEST,
        /** Behind the last record that is there. */
        LATEST
    }

    public static final ConfigOption<String> BOOTSTRAP_SERVERS =
            ConfigOptions.key("kafka.bootstrap.servers")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "Brokers to start from, host:port separated by commas. Required, unless"
                                    + " both kafka.source.bootstrap.servers and"
                                    + " kafka.sink.bootstrap.servers are set.");

    public static final ConfigOption<List<String>> SOURCE_TOPICS =
            ConfigOptions.key("kafka.source.topics")
                    .stringType()
                    .asList()
                    .noDefaultValue()
                    .withDescription(
                            "Topics with the prompts, separated by commas or semicolons. They must"
                                    + " exist. Required.");

    public static final ConfigOption<String> SOURCE_GROUP_ID =
            ConfigOptions.key("kafka.source.group.id")
                    .stringType()
                    .defaultValue("flink-layerskip")
                    .withDescription(
                            "Consumer group whose offsets are committed on checkpoints, for"
                                    + " monitoring and for a start without a checkpoint.");

    public static final ConfigOption<StartingOffsets> SOURCE_STARTING_OFFSETS =
            ConfigOptions.key("kafka.source.starting-offsets")
                    .enumType(StartingOffsets.class)
                    .defaultValue(StartingOffsets.COMMITTED)
                    .withDescription(
                            "Where reading starts without a checkpoint: COMMITTED (the group's"
                                    + " offsets, the earliest where it has none), EARLIEST or"
                                    + " LATEST.");

    public static final ConfigOption<MemorySize> SOURCE_MAX_VALUE_SIZE =
            ConfigOptions.key("kafka.source.max-value-size")
                    .memoryType()
                    .defaultValue(new MemorySize(CompletionRequestFormat.DEFAULT_MAX_VALUE_BYTES))
                    .withDescription(
                            "Largest record value that is taken for a request; larger ones become"
                                    + " dead letters.");

    public static final ConfigOption<String> SINK_TOPIC =
            ConfigOptions.key("kafka.sink.topic")
                    .stringType()
                    .noDefaultValue()
                    .withDescription("Topic of the completions. It must exist. Required.");

    public static final ConfigOption<String> DEAD_LETTERS_TOPIC =
            ConfigOptions.key("kafka.dead-letters.topic")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "Topic of the records that have no completion, with the sink's brokers"
                                    + " and in its transactions. It must exist; give it the source"
                                    + " topics' max.message.bytes, so that every record fits"
                                    + " whole. Required.");

    public static final ConfigOption<MemorySize> SINK_MAX_RECORD_SIZE =
            ConfigOptions.key("kafka.sink.max-record-size")
                    .memoryType()
                    .defaultValue(MemorySize.ofMebiBytes(16))
                    .withDescription(
                            "Largest record that is written, key and headers included; the topics'"
                                    + " own max.message.bytes counts where it is smaller. A larger"
                                    + " completion becomes a dead letter; a larger dead letter"
                                    + " goes without its value.");

    public static final ConfigOption<String> SINK_TRANSACTIONAL_ID_PREFIX =
            ConfigOptions.key("kafka.sink.transactional-id-prefix")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "Start of the transactional ids: one of its own for each job that"
                                    + " writes to the topic, none the start of another's, and the"
                                    + " same after a restart. Default: group id and sink topic,"
                                    + " each with a colon behind it.");

    public static final ConfigOption<Duration> SINK_TRANSACTION_TIMEOUT =
            ConfigOptions.key("kafka.sink.transaction.timeout.ms")
                    .durationType()
                    .defaultValue(Duration.ofMinutes(14))
                    .withDescription(
                            "How long a transaction may stay open, in ms or as a duration such as"
                                    + " 14 min: longer than a checkpoint's interval and timeout"
                                    + " together, at most the broker's transaction.max.timeout.ms"
                                    + " (15 min unless changed). A job that fails between a"
                                    + " checkpoint and its commit has to be back within this"
                                    + " time, or Kafka aborts what that checkpoint holds.");

    /** Every option here, for the option table and for telling known from unknown. */
    public static final List<ConfigOption<?>> ALL =
            List.of(
                    BOOTSTRAP_SERVERS,
                    SOURCE_TOPICS,
                    SOURCE_GROUP_ID,
                    SOURCE_STARTING_OFFSETS,
                    SOURCE_MAX_VALUE_SIZE,
                    SINK_TOPIC,
                    DEAD_LETTERS_TOPIC,
                    SINK_MAX_RECORD_SIZE,
                    SINK_TRANSACTIONAL_ID_PREFIX,
                    SINK_TRANSACTION_TIMEOUT);

    private KafkaOptions() {}
}
