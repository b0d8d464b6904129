package io.layerskip.connectors;

import io.layerskip.connectors.internal.SecretFileProvider;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.configuration.GlobalConfiguration;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.config.AbstractConfig;
import org.apache.kafka.common.config.ConfigDef;

/**
 * The options that are secrets, and the files that they may be in.
 *
 * <p>A secret is a property of a consumer or producer that Kafka itself treats as a password, such
 * as {@code kafka.sink.sasl.jaas.config}. With {@value #FILE_SUFFIX} after its name, the option is
 * the path of a file that holds it: {@code kafka.sink.sasl.jaas.config.file: /secrets/jaas}. Then
 * the job carries the path only. Each client reads the file when it is made, where it is made: at
 * submission, in the JobManager and in the TaskManagers.
 */
@PublicEvolving
public final class KafkaSecrets {

    /**
     * Ends the name of an option that names the file with a secret, instead of being the secret.
     */
    public static final String FILE_SUFFIX = ".file";

    /** What such an option may be. */
    static final String FILE_WORDS =
            "the absolute path, without : and }, of a file that can be read here, in the JobManager"
                    + " and in the TaskManagers";

    /** Kafka's name for what reads the files. */
    private static final String PROVIDER = "layerskip-file";

    private static final String PROVIDERS = AbstractConfig.CONFIG_PROVIDERS_CONFIG;

    private KafkaSecrets() {}

    /** Whether an option's value is a secret. */
    public static boolean isSecret(String option) {
        return isPassword(option, KafkaOptions.SOURCE_PREFIX, ConsumerConfig.configDef())
                || isPassword(option, KafkaOptions.SINK_PREFIX, ProducerConfig.configDef());
    }

    private static boolean isPassword(String option, String prefix, ConfigDef definition) {
        if (!option.startsWith(prefix)) {
            return false;
        }
        ConfigDef.ConfigKey key = definition.configKeys().get(option.substring(prefix.length()));
        return key != null && key.type == ConfigDef.Type.PASSWORD;
    }

    /**
     * Refuses secrets among a program's arguments: Flink's web UI shows those of an application
     * cluster, and the machine's list of processes those of any.
     *
     * @param options the names of the options that are set so
     */
    public static void checkArguments(Collection<String> options) {
        check(options, "is an argument of the program, which Flink's web UI may show");
    }

    /**
     * Refuses secrets among Flink's own settings, unless Flink knows by their names that it has to
     * hide them.
     */
    public static void checkSettings(ReadableConfig settings) {
        check(
                settings.toMap().keySet().stream()
                        .filter(option -> !GlobalConfiguration.isSensitive(option))
                        .toList(),
                "is a setting of Flink, whose web UI shows it");
    }

    private static void check(Collection<String> options, String found) {
        String refusals =
                String.join(
                        "\n",
                        options.stream()
                                .filter(KafkaSecrets::isSecret)
                                .sorted()
                                .map(
                                        option ->
                                                ("option %s %s; allowed: in the file that --config names,"
                                                                + " or %s%s with the path of a file that"
                                                                + " holds it")
                                                        .formatted(
                                                                option, found, option, FILE_SUFFIX))
                                .toList());
        if (!refusals.isEmpty()) {
            throw new IllegalConfigurationException(refusals);
        }
    }

    /** Whether an option names the file with a secret. */
    static boolean namesFile(String option) {
        return option.endsWith(FILE_SUFFIX) && isSecret(secretOf(option));
    }

    /** The option whose value the file that an option names has. */
    static String secretOf(String option) {
        return option.substring(0, option.length() - FILE_SUFFIX.length());
    }

    /** Whether a path is {@link #FILE_WORDS allowed}. */
    static boolean isAllowed(String path) {
        // Colons and braces are Kafka's notation for what is read elsewhere.
        return !path.contains(":")
                && !path.contains("}")
                && Path.of(path).isAbsolute()
                && Files.isReadable(Path.of(path))
                && Files.isRegularFile(Path.of(path));
    }

    /**
     * Has a client read one of its properties from a file.
     *
     * @param properties of the client, which may have other providers already
     */
    static void readFromFile(String property, String path, Map<String, String> properties) {
        properties.put(property, "${" + PROVIDER + ":" + path + "}");
        properties.merge(
                PROVIDERS,
                PROVIDER,
                (others, ours) ->
                        List.of(others.split(",")).contains(ours) ? others : others + "," + ours);
        properties.put(PROVIDERS + "." + PROVIDER + ".class", SecretFileProvider.class.getName());
    }
}
