package io.layerskip.connectors;

import static io.layerskip.flink.AllowedValues.anyOf;
import static io.layerskip.flink.AllowedValues.matching;
import static io.layerskip.flink.AllowedValues.option;
import static io.layerskip.flink.AllowedValues.requiredOption;
import static io.layerskip.flink.AllowedValues.text;
import static io.layerskip.flink.AllowedValues.trueOrFalse;
import static org.apache.flink.configuration.ConfigOptions.key;

import io.layerskip.engine.Range;
import io.layerskip.flink.AllowedValues;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.MemorySize;

/**
 * What can be set about Kafka; {@link KafkaConfiguration} reads and checks it.
 *
 * <p>Any other key that starts with {@value #SOURCE_PREFIX} or {@value #SINK_PREFIX} is, without
 * the prefix, a property of the Kafka consumer or producer: {@code kafka.source.security.protocol}
 * and {@code kafka.sink.sasl.jaas.config} for example. Those that are secrets may be in files, see
 * {@link KafkaSecrets}.
 */
@PublicEvolving
public final class KafkaOptions {

    /** Every option here starts with it. */
    public static final String PREFIX = "kafka.";

    /** Properties of the consumer start with it. */
    public static final String SOURCE_PREFIX = "kafka.source.";

    /** Properties of the producer start with it. */
    public static final String SINK_PREFIX = "kafka.sink.";

    /** What a failure may do to records that are written. */
    public enum DeliveryGuarantee {
        /** Nothing: they are written in transactions, which checkpoints commit. */
        EXACTLY_ONCE,
        /** Some are written again: each is written at once. */
        AT_LEAST_ONCE
    }

    private static final String TIME =
            "a time (2026-11-25T10:00:00Z or ms since 1970), which is the first record with that"
                    + " timestamp or a later one";

    private static final AllowedValues<String> NAME = text("a name, not blank");

    public static final ConfigOption<String> BOOTSTRAP_SERVERS =
            option(
                    key("kafka.bootstrap.servers").stringType().noDefaultValue(),
                    text("host:port, or several separated by commas"),
                    "Brokers to start from. Required, unless both kafka.source.bootstrap.servers"
                            + " and kafka.sink.bootstrap.servers are set.");

    public static final ConfigOption<List<String>> SOURCE_TOPICS =
            option(
                    key("kafka.source.topics").stringType().asList().noDefaultValue(),
                    matching(list -> !names(list).isEmpty(), "one or more topic names"),
                    "Topics with the prompts, separated by commas or semicolons. They must exist."
                            + " Required, unless kafka.source.topic-pattern is set.");

    public static final ConfigOption<String> SOURCE_TOPIC_PATTERN =
            option(
                    key("kafka.source.topic-pattern").stringType().noDefaultValue(),
                    matching(
                            KafkaOptions::isPattern,
                            "a regular expression that some topic's whole name matches, and not"
                                    + " those of kafka.sink.topic and kafka.dead-letters.topic"),
                    "Topics with the prompts, instead of kafka.source.topics: all whose names match"
                            + " a regular expression. New ones, like new partitions, are found"
                            + " every kafka.source.partition.discovery.interval.ms (5 min unless"
                            + " set) and read from their start.");

    public static final ConfigOption<String> SOURCE_GROUP_ID =
            option(
                    key("kafka.source.group.id").stringType().defaultValue("flink-layerskip"),
                    NAME,
                    "Consumer group whose offsets are committed on checkpoints, for monitoring and"
                            + " for a start without a checkpoint.");

    public static final ConfigOption<String> SOURCE_STARTING_OFFSETS =
            option(
                    key("kafka.source.starting-offsets").stringType().defaultValue("COMMITTED"),
                    matching(KafkaOptions::isPosition, "COMMITTED, EARLIEST, LATEST or a time"),
                    "Where reading starts without a checkpoint: COMMITTED (the group's offsets, the"
                            + " earliest where it has none), EARLIEST, LATEST (after what is"
                            + " there when the job is submitted; a partition that is added later"
                            + " is read from its start), or "
                            + TIME
                            + ".");

    public static final ConfigOption<String> SOURCE_ENDING_OFFSETS =
            option(
                    key("kafka.source.ending-offsets").stringType().noDefaultValue(),
                    matching(KafkaOptions::isEnd, "LATEST, COMMITTED or a time"),
                    "Where reading ends: the job writes everything that is before it, commits and"
                            + " is FINISHED. LATEST (after what is there when the job is"
                            + " submitted), COMMITTED (the group's offsets at that time), or "
                            + TIME
                            + ". Not set: the job reads for ever.");

    public static final ConfigOption<MemorySize> SOURCE_MAX_VALUE_SIZE =
            option(
                    key("kafka.source.max-value-size")
                            .memoryType()
                            .defaultValue(
                                    new MemorySize(
                                            CompletionRequestFormat.DEFAULT_MAX_VALUE_BYTES)),
                    size(1),
                    "Largest record value that is taken for a request; larger ones become dead"
                            + " letters.");

    public static final ConfigOption<String> SINK_TOPIC =
            requiredOption(
                    key("kafka.sink.topic").stringType().noDefaultValue(),
                    NAME,
                    "Topic of the completions. It must exist.");

    public static final ConfigOption<String> DEAD_LETTERS_TOPIC =
            requiredOption(
                    key("kafka.dead-letters.topic").stringType().noDefaultValue(),
                    NAME,
                    "Topic of the records that have no completion, with the sink's brokers and in"
                            + " its transactions. It must exist; give it the source topics'"
                            + " max.message.bytes, so that every record fits whole.");

    public static final ConfigOption<DeliveryGuarantee> SINK_DELIVERY_GUARANTEE =
            option(
                    key("kafka.sink.delivery-guarantee")
                            .enumType(DeliveryGuarantee.class)
                            .defaultValue(DeliveryGuarantee.EXACTLY_ONCE),
                    anyOf(DeliveryGuarantee.class),
                    "Whether records are written in transactions that checkpoints commit"
                            + " (EXACTLY_ONCE), or at once, and after a failure some of them again"
                            + " (AT_LEAST_ONCE).");

    public static final ConfigOption<MemorySize> SINK_MAX_RECORD_SIZE =
            option(
                    key("kafka.sink.max-record-size")
                            .memoryType()
                            .defaultValue(MemorySize.ofMebiBytes(16)),
                    size(64 * 1024),
                    "Largest record that is written, key and headers included; the topics' own"
                            + " max.message.bytes counts where it is smaller. A larger completion"
                            + " becomes a dead letter; a larger dead letter goes without its"
                            + " value.");

    public static final ConfigOption<String> SINK_TRANSACTIONAL_ID_PREFIX =
            option(
                    key("kafka.sink.transactional-id-prefix").stringType().noDefaultValue(),
                    text("a text, not blank"),
                    "Start of the transactional ids: one of its own for each job that writes to the"
                            + " topic, none the start of another's, and the same after a restart."
                            + " Default: group id and sink topic, each with a colon after it.");

    public static final ConfigOption<Duration> SINK_TRANSACTION_TIMEOUT =
            option(
                    key("kafka.sink.transaction.timeout.ms")
                            .durationType()
                            .defaultValue(Duration.ofMinutes(14)),
                    matching(
                            timeout ->
                                    Range.between(1, Integer.MAX_VALUE)
                                            .contains(timeout.toMillis()),
                            "a duration from 1 ms to 24 days, such as 14 min"),
                    "How long a transaction may stay open, in ms or as a duration: at most the"
                            + " broker's transaction.max.timeout.ms (15 min unless changed), and"
                            + " 95 % of it longer than execution.checkpointing.interval (or"
                            + " min-pause, if that is longer) and timeout together. When no"
                            + " checkpoint has completed for 95 % of it, the job restarts from its"
                            + " last one. A job that fails between a checkpoint and its commit has"
                            + " to be back within this time, or Kafka aborts what that checkpoint"
                            + " holds.");

    public static final ConfigOption<Boolean> SINK_ACCEPT_LOST_TRANSACTIONS =
            option(
                    key("kafka.sink.accept-lost-transactions").booleanType().defaultValue(false),
                    trueOrFalse(),
                    "Whether the job goes on when Kafka refuses to commit a checkpoint's"
                            + " transaction, mostly because the job was down for longer than the"
                            + " transaction timeout. Its completions and dead letters are lost"
                            + " then. If false, the job ends with an error that says which, and"
                            + " does not restart.");

    /** Every option here, for the option table and for telling known from unknown. */
    public static final List<ConfigOption<?>> ALL =
            List.of(
                    BOOTSTRAP_SERVERS,
                    SOURCE_TOPICS,
                    SOURCE_TOPIC_PATTERN,
                    SOURCE_GROUP_ID,
                    SOURCE_STARTING_OFFSETS,
                    SOURCE_ENDING_OFFSETS,
                    SOURCE_MAX_VALUE_SIZE,
                    SINK_TOPIC,
                    DEAD_LETTERS_TOPIC,
                    SINK_DELIVERY_GUARANTEE,
                    SINK_MAX_RECORD_SIZE,
                    SINK_TRANSACTIONAL_ID_PREFIX,
                    SINK_TRANSACTION_TIMEOUT,
                    SINK_ACCEPT_LOST_TRANSACTIONS);

    private KafkaOptions() {}

    private static boolean isPattern(String text) {
        Pattern.compile(text);
        return !text.isBlank();
    }

    private static boolean isPosition(String text) {
        KafkaPosition.parse(text);
        return true;
    }

    private static boolean isEnd(String text) {
        return KafkaPosition.parse(text).kind() != KafkaPosition.Kind.EARLIEST;
    }

    /** Flink separates a list by semicolons; Kafka's users are used to commas. */
    static List<String> names(List<String> list) {
        return list.stream()
                .flatMap(part -> Arrays.stream(part.split(",")))
                .map(String::strip)
                .filter(name -> !name.isEmpty())
                .distinct()
                .toList();
    }

    /** Sizes that an int can hold in bytes. */
    private static AllowedValues<MemorySize> size(int least) {
        Range bytes = Range.between(least, Integer.MAX_VALUE);
        return matching(
                size -> bytes.contains(size.getBytes()),
                "a size " + bytes.words() + " bytes, such as 4 mb");
    }
}
