package io.layerskip.connectors;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.TreeMap;
import java.util.function.Predicate;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.kafka.clients.CommonClientConfigs;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.config.ConfigValue;

/** Reads Kafka's options one by one and remembers what it refused. */
final class KafkaOptionReader {

    private final ReadableConfig config;
    private final Map<String, String> values;
    private final List<String> refusals = new ArrayList<>();

    KafkaOptionReader(ReadableConfig config) {
        this.config = config;
        this.values = new TreeMap<>(config.toMap());
    }

    /** The value, or the default where it is missing; empty if it is refused or has no default. */
    <T> Optional<T> read(ConfigOption<T> option, Predicate<T> isAllowed, String allowed) {
        try {
            Optional<T> value = config.getOptional(option);
            if (value.isEmpty()) {
                return Optional.ofNullable(option.defaultValue());
            }
            if (isAllowed.test(value.get())) {
                return value;
            }
        } catch (IllegalArgumentException | ArithmeticException e) {
            // Not of the option's type, or beyond it: refused like any other value.
        }
        refusals.add(refusal(option, values.get(option.key()), allowed));
        return Optional.empty();
    }

    boolean isSet(ConfigOption<?> option) {
        return values.containsKey(option.key());
    }

    /** The text, or an empty one in place of one that is refused. */
    String required(ConfigOption<String> option) {
        Optional<String> value = read(option, text -> !text.isBlank(), "a name, not blank");
        if (value.isEmpty() && !values.containsKey(option.key())) {
            refusals.add(refusal(option, "missing", "a name, not blank"));
        }
        return value.orElse("");
    }

    /** The source topics, or none in place of what is refused. */
    List<String> topics() {
        ConfigOption<List<String>> option = KafkaOptions.SOURCE_TOPICS;
        String allowed = "one or more topic names";
        if (!values.containsKey(option.key())) {
            refusals.add(refusal(option, "missing", allowed));
        }
        return read(option, list -> !names(list).isEmpty(), allowed)
                .map(KafkaOptionReader::names)
                .orElse(List.of());
    }

    /** Flink separates a list by semicolons; Kafka's users are used to commas. */
    private static List<String> names(List<String> list) {
        return list.stream()
                .flatMap(part -> Arrays.stream(part.split(",")))
                .map(String::strip)
                .filter(name -> !name.isEmpty())
                .distinct()
                .toList();
    }

    /** A size in bytes that an int can hold, or the default in place of a refused one. */
    int bytes(ConfigOption<MemorySize> option, int least) {
        return read(
                        option,
                        size -> size.getBytes() >= least && size.getBytes() <= Integer.MAX_VALUE,
                        "a size from %d to %d bytes, such as 4 mb"
                                .formatted(least, Integer.MAX_VALUE))
                .map(size -> (int) size.getBytes())
                .orElseGet(() -> (int) option.defaultValue().getBytes());
    }

    void refuseUnknown() {
        List<String> known = KafkaOptions.ALL.stream().map(ConfigOption::key).toList();
        for (String key : values.keySet()) {
            if (key.startsWith(KafkaOptions.PREFIX)
                    && !key.startsWith(KafkaOptions.SOURCE_PREFIX)
                    && !key.startsWith(KafkaOptions.SINK_PREFIX)
                    && !known.contains(key)) {
                refusals.add(
                        "option %s is unknown; known: %s, and Kafka's properties as %s* and %s*"
                                .formatted(
                                        key,
                                        String.join(", ", known),
                                        KafkaOptions.SOURCE_PREFIX,
                                        KafkaOptions.SINK_PREFIX));
            }
        }
    }

    /** Adds the properties behind a prefix to those of a client. */
    void passThrough(String prefix, List<PropertyRule> rules, Properties properties) {
        config.getOptional(KafkaOptions.BOOTSTRAP_SERVERS)
                .ifPresent(
                        servers ->
                                properties.setProperty(
                                        CommonClientConfigs.BOOTSTRAP_SERVERS_CONFIG, servers));
        List<String> options = KafkaOptions.ALL.stream().map(ConfigOption::key).toList();
        values.forEach(
                (key, value) -> {
                    if (key.startsWith(prefix) && !options.contains(key)) {
                        properties.setProperty(key.substring(prefix.length()), value);
                    }
                });
        for (PropertyRule rule : rules) {
            String key = prefix + rule.property();
            if (values.containsKey(key) && !rule.isAllowed().test(values.get(key))) {
                refusals.add(refusal(key, values.get(key), rule.allowed()));
            }
        }
    }

    /** Has Kafka check the properties; it hides the values of secrets itself. */
    void validate(
            String prefix,
            Properties properties,
            ConfigDef definition,
            Map<String, String> serialization) {
        Map<String, String> all = new TreeMap<>(serialization);
        properties
                .stringPropertyNames()
                .forEach(name -> all.put(name, properties.getProperty(name)));
        for (ConfigValue value : definition.validate(all)) {
            for (String error : value.errorMessages()) {
                refusals.add("option " + prefix + value.name() + ": " + error);
            }
        }
    }

    void checkTopicsDiffer(List<String> sources, String sink, String deadLetters) {
        String source = String.join(", ", sources);
        if (sources.contains(sink)) {
            refusals.add(
                    refusal(KafkaOptions.SINK_TOPIC, sink, "no source topic (" + source + ")"));
        }
        if (sources.contains(deadLetters)) {
            refusals.add(
                    refusal(
                            KafkaOptions.DEAD_LETTERS_TOPIC,
                            deadLetters,
                            "no source topic (" + source + ")"));
        }
        if (!sink.isEmpty() && sink.equals(deadLetters)) {
            refusals.add(
                    refusal(
                            KafkaOptions.DEAD_LETTERS_TOPIC,
                            deadLetters,
                            "another topic than kafka.sink.topic"));
        }
    }

    void checkServers(Properties consumer, Properties producer) {
        String property = CommonClientConfigs.BOOTSTRAP_SERVERS_CONFIG;
        if (consumer.getProperty(property, "").isBlank()
                || producer.getProperty(property, "").isBlank()) {
            refusals.add(
                    refusal(
                            KafkaOptions.BOOTSTRAP_SERVERS,
                            "missing",
                            "host:port, or several separated by commas"));
        }
    }

    void throwIfRefused() {
        if (!refusals.isEmpty()) {
            throw new IllegalConfigurationException(String.join("\n", refusals));
        }
    }

    static String refusal(ConfigOption<?> option, Object found, String allowed) {
        return refusal(option.key(), found, allowed);
    }

    private static String refusal(String key, Object found, String allowed) {
        return "option " + key + " is " + found + "; allowed: " + allowed;
    }
}
