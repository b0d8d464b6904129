package io.layerskip.connectors;

import static org.apache.flink.configuration.ConfigOptions.key;
import static org.apache.kafka.clients.CommonClientConfigs.BOOTSTRAP_SERVERS_CONFIG;

import io.layerskip.connectors.KafkaOptions.DeliveryGuarantee;
import io.layerskip.engine.Range;
import io.layerskip.flink.AllowedValues;
import io.layerskip.flink.OptionReader;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.config.ConfigValue;

/**
 * Checked values of {@link KafkaOptions}, and the properties of consumer and producer that follow
 * from them. What only the brokers know is checked by {@link KafkaPipeline#connect}.
 *
 * <p>The properties may hold passwords: nothing here prints them, and a message quotes only values
 * of settings that are no secrets.
 */
@PublicEvolving
public final class KafkaConfiguration {

    /** Properties of the clients with which records would be lost, doubled or not understood. */
    private static final List<ConfigOption<?>> GUARDED =
            List.of(
                    never("source.enable.auto.commit", "offsets are committed on checkpoints"),
                    only("source.commit.offsets.on.checkpoint", "true"::equals, "true"),
                    never("source.auto.offset.reset", "set kafka.source.starting-offsets"),
                    never("source.key.deserializer", "keys are read as bytes"),
                    never("source.value.deserializer", "values are read as bytes"),
                    never("sink.transactional.id", "set kafka.sink.transactional-id-prefix"),
                    never("sink.key.serializer", "keys are written as bytes"),
                    never("sink.value.serializer", "values are written as bytes"),
                    only("sink.enable.idempotence", "true"::equals, "true"),
                    only("sink.acks", List.of("all", "-1")::contains, "all"),
                    only("sink.retries", Range.atLeast(1)),
                    only("sink.max.in.flight.requests.per.connection", Range.between(1, 5)));

    private final Configuration options;

    private KafkaConfiguration(Configuration options) {
        this.options = options;
    }

    /**
     * Reads the options.
     *
     * @throws IllegalConfigurationException if a value is missing or not allowed, or an option that
     *     starts with {@value KafkaOptions#PREFIX} is unknown; names each of them, one a line
     */
    public static KafkaConfiguration from(ReadableConfig config) {
        OptionReader reader =
                new OptionReader(
                        config,
                        KafkaOptions.PREFIX,
                        KafkaOptions.ALL,
                        KafkaOptions.SOURCE_PREFIX,
                        KafkaOptions.SINK_PREFIX);
        KafkaConfiguration configuration = new KafkaConfiguration(reader.options());
        configuration.checkClients(reader);
        configuration.checkSources(reader);
        configuration.checkTopicsDiffer(reader);
        reader.throwIfRefused();
        return configuration;
    }

    /**
     * Reads the options that the replay of dead letters shares with the job: it reads the job's
     * dead letters and writes to the job's sources. Options that only the job has may be there.
     *
     * @throws IllegalConfigurationException if a value is missing or not allowed; names each of
     *     them, one a line
     */
    static KafkaConfiguration forReplay(ReadableConfig config) {
        List<ConfigOption<String>> onlyTheJobs =
                List.of(KafkaOptions.SOURCE_TOPIC_PATTERN, KafkaOptions.SINK_TOPIC);
        Configuration options = Configuration.fromMap(config.toMap());
        onlyTheJobs.forEach(options::removeConfig);
        OptionReader reader =
                new OptionReader(
                        options,
                        KafkaOptions.PREFIX,
                        KafkaOptions.ALL.stream()
                                .filter(option -> !onlyTheJobs.contains(option))
                                .toList(),
                        KafkaOptions.SOURCE_PREFIX,
                        KafkaOptions.SINK_PREFIX);
        KafkaConfiguration configuration = new KafkaConfiguration(reader.options());
        configuration.checkClients(reader);
        configuration.checkTopicsDiffer(reader);
        reader.throwIfRefused();
        return configuration;
    }

    private void checkClients(OptionReader reader) {
        GUARDED.forEach(reader::check);
        // A record that the sink lets pass has to fit into a request and into the buffer.
        Range atLeastARecord =
                new Range(
                        maxRecordBytes(),
                        Double.POSITIVE_INFINITY,
                        "at least kafka.sink.max-record-size, " + maxRecordBytes() + " bytes");
        reader.check(only("sink.max.request.size", atLeastARecord));
        reader.check(only("sink.buffer.memory", atLeastARecord));
        checkSecretFiles(reader);
        checkProperties(KafkaOptions.SOURCE_PREFIX, consumer(), ConsumerConfig.configDef(), reader);
        checkProperties(KafkaOptions.SINK_PREFIX, producer(), ProducerConfig.configDef(), reader);
        if (Stream.of(consumer(), producer())
                .anyMatch(client -> client.getOrDefault(BOOTSTRAP_SERVERS_CONFIG, "").isBlank())) {
            reader.refuse(
                    KafkaOptions.BOOTSTRAP_SERVERS,
                    "missing",
                    AllowedValues.of(KafkaOptions.BOOTSTRAP_SERVERS).words());
        }
    }

    private static ConfigOption<String> never(String property, String instead) {
        return only(property, value -> false, "no value; " + instead);
    }

    private static ConfigOption<String> only(String property, Range range) {
        return only(property, value -> range.contains(Long.parseLong(value)), range.words());
    }

    private static ConfigOption<String> only(
            String property, Predicate<String> check, String words) {
        return AllowedValues.option(
                key(KafkaOptions.PREFIX + property).stringType().noDefaultValue(),
                AllowedValues.matching(check, words),
                "");
    }

    private Map<String, String> consumer() {
        Map<String, String> properties = new TreeMap<>();
        // What a producer took back is no prompt, unless the user wants it to be: whatever is read
        // leaves exactly once either way.
        properties.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed");
        passThrough(KafkaOptions.SOURCE_PREFIX, properties);
        properties.put(ConsumerConfig.GROUP_ID_CONFIG, options.get(KafkaOptions.SOURCE_GROUP_ID));
        return properties;
    }

    private Map<String, String> producer() {
        Map<String, String> properties = new TreeMap<>();
        int bufferBytes = Math.max(maxRecordBytes(), 32 * 1024 * 1024);
        properties.put(ProducerConfig.MAX_REQUEST_SIZE_CONFIG, Integer.toString(maxRecordBytes()));
        properties.put(ProducerConfig.BUFFER_MEMORY_CONFIG, Integer.toString(bufferBytes));
        passThrough(KafkaOptions.SINK_PREFIX, properties);
        properties.put(
                ProducerConfig.TRANSACTION_TIMEOUT_CONFIG,
                Long.toString(transactionTimeout().toMillis()));
        return properties;
    }

    /** The options that name files with secrets have to name such, and say nothing twice. */
    private void checkSecretFiles(OptionReader reader) {
        for (String option : options.toMap().keySet()) {
            if (!KafkaSecrets.namesFile(option)) {
                continue;
            }
            ConfigOption<String> file = key(option).stringType().noDefaultValue();
            reader.check(
                    AllowedValues.option(
                            file,
                            AllowedValues.matching(
                                    KafkaSecrets::isAllowed, KafkaSecrets.FILE_WORDS),
                            ""));
            String secret = KafkaSecrets.secretOf(option);
            if (options.containsKey(secret)) {
                reader.refuse(file, "set as well as " + secret, "one of the two");
            }
        }
    }

    /** Adds what starts with a prefix to the properties of a client, files with secrets last. */
    private void passThrough(String prefix, Map<String, String> properties) {
        options.getOptional(KafkaOptions.BOOTSTRAP_SERVERS)
                .ifPresent(servers -> properties.put(BOOTSTRAP_SERVERS_CONFIG, servers));
        Map<String, String> values = options.toMap();
        KafkaOptions.ALL.forEach(option -> values.remove(option.key()));
        values.keySet().removeIf(option -> !option.startsWith(prefix));
        values.forEach(
                (option, value) -> {
                    if (!KafkaSecrets.namesFile(option)) {
                        properties.put(option.substring(prefix.length()), value);
                    }
                });
        values.forEach(
                (option, value) -> {
                    if (KafkaSecrets.namesFile(option)) {
                        String secret = KafkaSecrets.secretOf(option).substring(prefix.length());
                        KafkaSecrets.readFromFile(secret, value, properties);
                    }
                });
    }

    /** Has Kafka check the properties; it hides the values of secrets itself. */
    private static void checkProperties(
            String prefix,
            Map<String, String> properties,
            ConfigDef definition,
            OptionReader reader) {
        for (ConfigValue value : definition.validate(properties)) {
            // What is missing is checked elsewhere, or comes with source and sink.
            if (properties.containsKey(value.name())) {
                value.errorMessages()
                        .forEach(e -> reader.refuse("option " + prefix + value.name() + ": " + e));
            }
        }
    }

    private void checkSources(OptionReader reader) {
        if (!reader.hasRefused(KafkaOptions.SOURCE_TOPICS)
                && !reader.hasRefused(KafkaOptions.SOURCE_TOPIC_PATTERN)
                && topicPattern().isPresent() == !sourceTopics().isEmpty()) {
            reader.refuse(
                    KafkaOptions.SOURCE_TOPICS,
                    topicPattern().isPresent() ? "set as well" : "missing",
                    AllowedValues.of(KafkaOptions.SOURCE_TOPICS).words()
                            + ", or "
                            + KafkaOptions.SOURCE_TOPIC_PATTERN.key()
                            + " instead");
        }
    }

    private void checkTopicsDiffer(OptionReader reader) {
        Map<String, String> uses = new HashMap<>();
        sourceTopics().forEach(topic -> uses.put(topic, KafkaOptions.SOURCE_TOPICS.key()));
        for (ConfigOption<String> option :
                List.of(KafkaOptions.SINK_TOPIC, KafkaOptions.DEAD_LETTERS_TOPIC)) {
            String topic = options.get(option);
            if (topic != null
                    && topicPattern().filter(p -> p.matcher(topic).matches()).isPresent()) {
                reader.refuse(
                        option,
                        topic,
                        "a topic that "
                                + KafkaOptions.SOURCE_TOPIC_PATTERN.key()
                                + " does not match");
            }
            String use = uses.putIfAbsent(topic, option.key());
            if (topic != null && use != null) {
                reader.refuse(option, topic, "a topic that " + use + " does not name");
            }
        }
    }

    /** What the names of the topics with the prompts match; empty if those are listed. */
    public Optional<Pattern> topicPattern() {
        return options.getOptional(KafkaOptions.SOURCE_TOPIC_PATTERN).map(Pattern::compile);
    }

    /** Topics with the prompts; at least one, unless {@link #topicPattern} finds them. */
    public List<String> sourceTopics() {
        return KafkaOptions.names(options.get(KafkaOptions.SOURCE_TOPICS, List.of()));
    }

    /** Topic of the completions. */
    public String sinkTopic() {
        return options.get(KafkaOptions.SINK_TOPIC);
    }

    /** Topic of the dead letters. */
    public String deadLettersTopic() {
        return options.get(KafkaOptions.DEAD_LETTERS_TOPIC);
    }

    /** Where reading starts without a checkpoint. */
    public KafkaPosition startingOffsets() {
        return KafkaPosition.parse(options.get(KafkaOptions.SOURCE_STARTING_OFFSETS));
    }

    /** Where reading ends; empty if it goes on for ever. */
    public Optional<KafkaPosition> endingOffsets() {
        return options.getOptional(KafkaOptions.SOURCE_ENDING_OFFSETS).map(KafkaPosition::parse);
    }

    /** The consumer group whose offsets are committed. */
    String groupId() {
        return options.get(KafkaOptions.SOURCE_GROUP_ID);
    }

    /** Whether records are written in transactions. */
    public boolean isExactlyOnce() {
        return options.get(KafkaOptions.SINK_DELIVERY_GUARANTEE) == DeliveryGuarantee.EXACTLY_ONCE;
    }

    /** Size of the largest value that is taken for a request, in bytes. */
    public int maxValueBytes() {
        return (int) options.get(KafkaOptions.SOURCE_MAX_VALUE_SIZE).getBytes();
    }

    /** Size of the largest record batch that the sink writes, in bytes. */
    public int maxRecordBytes() {
        return (int) options.get(KafkaOptions.SINK_MAX_RECORD_SIZE).getBytes();
    }

    /** Whether that size was set, rather than left at its default. */
    boolean setsMaxRecordBytes() {
        return options.contains(KafkaOptions.SINK_MAX_RECORD_SIZE);
    }

    /**
     * Start of the transactional ids. No other group's or topic's default is the start of this one:
     * a topic has no colon, and those of the group are doubled, so that the two single ones show
     * where group and topic end.
     */
    public String transactionalIdPrefix() {
        return options.getOptional(KafkaOptions.SINK_TRANSACTIONAL_ID_PREFIX)
                .orElseGet(
                        () ->
                                options.get(KafkaOptions.SOURCE_GROUP_ID).replace(":", "::")
                                        + ":"
                                        + sinkTopic()
                                        + ":");
    }

    /** How long a transaction may stay open. */
    public Duration transactionTimeout() {
        return options.get(KafkaOptions.SINK_TRANSACTION_TIMEOUT);
    }

    /** Whether the job goes on when Kafka refuses to commit a transaction. */
    public boolean acceptsLostTransactions() {
        return options.get(KafkaOptions.SINK_ACCEPT_LOST_TRANSACTIONS);
    }

    /** Which records the consumer sees. */
    IsolationLevel isolation() {
        String level = consumer().get(ConsumerConfig.ISOLATION_LEVEL_CONFIG);
        return IsolationLevel.valueOf(level.toUpperCase(Locale.ROOT));
    }

    Properties consumerProperties() {
        return copy(consumer());
    }

    Properties producerProperties() {
        return copy(producer());
    }

    private static Properties copy(Map<String, String> properties) {
        Properties copy = new Properties();
        copy.putAll(properties);
        return copy;
    }
}
