package io.layerskip.connectors;

import io.layerskip.connectors.KafkaOptions.StartingOffsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Checked values of {@link KafkaOptions}, and the properties of consumer and producer that follow
 * from them. What only the brokers know is checked by {@link KafkaPipeline#connect}.
 *
 * <p>The properties may hold passwords: nothing here prints them, and a message quotes only values
 * of settings that are no secrets.
 */
@PublicEvolving
public final class KafkaConfiguration {

    private static final int MIN_RECORD_BYTES = 64 * 1024;

    /** Consumer properties with which prompts would be lost, read twice or not understood. */
    private static final List<PropertyRule> SOURCE_RULES =
            List.of(
                    PropertyRule.never(
                            "enable.auto.commit", "offsets are committed on checkpoints"),
                    new PropertyRule("commit.offsets.on.checkpoint", "true"::equals, "true"),
                    PropertyRule.never("auto.offset.reset", "set kafka.source.starting-offsets"),
                    PropertyRule.never("key.deserializer", "keys are read as bytes"),
                    PropertyRule.never("value.deserializer", "values are read as bytes"));

    /** Producer properties with which completions would be lost or written twice. */
    private static final List<PropertyRule> SINK_RULES =
            List.of(
                    PropertyRule.never(
                            "transactional.id", "set kafka.sink.transactional-id-prefix"),
                    PropertyRule.never("key.serializer", "keys are written as bytes"),
                    PropertyRule.never("value.serializer", "values are written as bytes"),
                    new PropertyRule("enable.idempotence", "true"::equals, "true"),
                    new PropertyRule("acks", List.of("all", "-1")::contains, "all"),
                    PropertyRule.between("retries", 1, Integer.MAX_VALUE, "at least 1"),
                    PropertyRule.between(
                            "max.in.flight.requests.per.connection", 1, 5, "from 1 to 5"));

    private final List<String> sourceTopics;
    private final StartingOffsets startingOffsets;
    private final int maxValueBytes;
    private final String sinkTopic;
    private final String deadLettersTopic;
    private final int maxRecordBytes;
    private final boolean setsMaxRecordBytes;
    private final String transactionalIdPrefix;
    private final Duration transactionTimeout;
    private final Properties consumerProperties;
    private final Properties producerProperties;

    private KafkaConfiguration(KafkaOptionReader reader) {
        sourceTopics = reader.topics();
        startingOffsets =
                reader.read(
                                KafkaOptions.SOURCE_STARTING_OFFSETS,
                                offsets -> true,
                                "COMMITTED, EARLIEST or LATEST")
                        .orElse(StartingOffsets.COMMITTED);
        maxValueBytes = reader.bytes(KafkaOptions.SOURCE_MAX_VALUE_SIZE, 1);
        sinkTopic = reader.required(KafkaOptions.SINK_TOPIC);
        deadLettersTopic = reader.required(KafkaOptions.DEAD_LETTERS_TOPIC);
        maxRecordBytes = reader.bytes(KafkaOptions.SINK_MAX_RECORD_SIZE, MIN_RECORD_BYTES);
        setsMaxRecordBytes = reader.isSet(KafkaOptions.SINK_MAX_RECORD_SIZE);
        String groupId = reader.required(KafkaOptions.SOURCE_GROUP_ID);
        transactionalIdPrefix =
                reader.read(
                                KafkaOptions.SINK_TRANSACTIONAL_ID_PREFIX,
                                prefix -> !prefix.isBlank(),
                                "a text, not blank")
                        .orElseGet(() -> defaultPrefix(groupId, sinkTopic));
        transactionTimeout =
                reader.read(
                                KafkaOptions.SINK_TRANSACTION_TIMEOUT,
                                timeout ->
                                        timeout.toMillis() >= 1
                                                && timeout.toMillis() <= Integer.MAX_VALUE,
                                "a duration from 1 ms to 24 days, such as 14 min")
                        .orElse(KafkaOptions.SINK_TRANSACTION_TIMEOUT.defaultValue());
        consumerProperties = consumerProperties(reader, groupId);
        producerProperties = producerProperties(reader);
        reader.checkTopicsDiffer(sourceTopics, sinkTopic, deadLettersTopic);
        reader.checkServers(consumerProperties, producerProperties);
    }

    /**
     * Reads the options.
     *
     * @throws IllegalConfigurationException if a value is missing or not allowed, or an option that
     *     starts with {@value KafkaOptions#PREFIX} is unknown; names each of them, one a line
     */
    public static KafkaConfiguration from(ReadableConfig config) {
        KafkaOptionReader reader = new KafkaOptionReader(config);
        reader.refuseUnknown();
        KafkaConfiguration configuration = new KafkaConfiguration(reader);
        reader.throwIfRefused();
        return configuration;
    }

    /**
     * No other group's or topic's is the start of this one: a topic has no colon, and those of the
     * group are doubled, so that the two single ones show where group and topic end.
     */
    private static String defaultPrefix(String groupId, String sinkTopic) {
        return groupId.replace(":", "::") + ":" + sinkTopic + ":";
    }

    private static Properties consumerProperties(KafkaOptionReader reader, String groupId) {
        Properties properties = new Properties();
        // What a producer took back is no prompt, unless the user wants it to be: whatever is read
        // leaves exactly once either way.
        properties.setProperty(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed");
        reader.passThrough(KafkaOptions.SOURCE_PREFIX, SOURCE_RULES, properties);
        properties.setProperty(ConsumerConfig.GROUP_ID_CONFIG, groupId);
        reader.validate(
                KafkaOptions.SOURCE_PREFIX,
                properties,
                ConsumerConfig.configDef(),
                Map.of(
                        ConsumerConfig.KEY_DESERIALIZER_CLASS_CONFIG,
                        ByteArrayDeserializer.class.getName(),
                        ConsumerConfig.VALUE_DESERIALIZER_CLASS_CONFIG,
                        ByteArrayDeserializer.class.getName()));
        return properties;
    }

    private Properties producerProperties(KafkaOptionReader reader) {
        Properties properties = new Properties();
        // A record that the sink lets pass has to fit into a request and into the buffer.
        int bufferBytes = Math.max(maxRecordBytes, 32 * 1024 * 1024);
        properties.setProperty(
                ProducerConfig.MAX_REQUEST_SIZE_CONFIG, Integer.toString(maxRecordBytes));
        properties.setProperty(ProducerConfig.BUFFER_MEMORY_CONFIG, Integer.toString(bufferBytes));
        List<PropertyRule> rules = new ArrayList<>(SINK_RULES);
        String atLeast = "at least kafka.sink.max-record-size, " + maxRecordBytes + " bytes";
        for (String property :
                List.of(
                        ProducerConfig.MAX_REQUEST_SIZE_CONFIG,
                        ProducerConfig.BUFFER_MEMORY_CONFIG)) {
            rules.add(PropertyRule.between(property, maxRecordBytes, Long.MAX_VALUE, atLeast));
        }
        reader.passThrough(KafkaOptions.SINK_PREFIX, rules, properties);
        properties.setProperty(
                ProducerConfig.TRANSACTION_TIMEOUT_CONFIG,
                Long.toString(transactionTimeout.toMillis()));
        reader.validate(
                KafkaOptions.SINK_PREFIX,
                properties,
                ProducerConfig.configDef(),
                Map.of(
                        ProducerConfig.KEY_SERIALIZER_CLASS_CONFIG,
                        ByteArraySerializer.class.getName(),
                        ProducerConfig.VALUE_SERIALIZER_CLASS_CONFIG,
                        ByteArraySerializer.class.getName()));
        return properties;
    }

    /** Topics with the prompts; at least one. */
    public List<String> sourceTopics() {
        return sourceTopics;
    }

    /** Topic of the completions. */
    public String sinkTopic() {
        return sinkTopic;
    }

    /** Topic of the dead letters. */
    public String deadLettersTopic() {
        return deadLettersTopic;
    }

    /** Where reading starts without a checkpoint. */
    public StartingOffsets startingOffsets() {
        return startingOffsets;
    }

    /** Size of the largest value that is taken for a request, in bytes. */
    public int maxValueBytes() {
        return maxValueBytes;
    }

    /** Size of the largest record batch that the sink writes, in bytes. */
    public int maxRecordBytes() {
        return maxRecordBytes;
    }

    /** Whether that size was set, rather than left at its default. */
    boolean setsMaxRecordBytes() {
        return setsMaxRecordBytes;
    }

    /** Start of the transactional ids. */
    public String transactionalIdPrefix() {
        return transactionalIdPrefix;
    }

    /** How long a transaction may stay open. */
    public Duration transactionTimeout() {
        return transactionTimeout;
    }

    Properties consumerProperties() {
        return copy(consumerProperties);
    }

    Properties producerProperties() {
        return copy(producerProperties);
    }

    private static Properties copy(Properties properties) {
        Properties copy = new Properties();
        copy.putAll(properties);
        return copy;
    }
}
