package io.layerskip.connectors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class KafkaSecretsTest {

    private static final String JAAS = "kafka.sink.sasl.jaas.config";
    private static final String SECRET = "Secret required;";

    @TempDir private Path folder;

    @ParameterizedTest
    @ValueSource(
            strings = {
                JAAS,
                "kafka.source.sasl.jaas.config",
                "kafka.source.ssl.keystore.key",
                "kafka.sink.ssl.truststore.password",
                "kafka.sink.ssl.key.password"
            })
    void whatKafkaTreatsAsAPasswordIsRefusedAsAnArgument(String option) {
        assertThatThrownBy(() -> KafkaSecrets.checkArguments(List.of("layerskip.top-k", option)))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessage(
                        "option %1$s is an argument of the program, which Flink's web UI may show;"
                                        .formatted(option)
                                + " allowed: in the file that --config names, or %1$s.file with the path of a file that holds it"
                                        .formatted(option));
    }

    @Test
    void otherOptionsAreAllowedAsArguments() {
        assertThatCode(
                        () ->
                                KafkaSecrets.checkArguments(
                                        List.of(
                                                "kafka.sink.topic",
                                                "kafka.sink.sasl.mechanism",
                                                JAAS + ".file",
                                                "sasl.jaas.config")))
                .doesNotThrowAnyException();
    }

    @Test
    void secretsThatFlinkDoesNotHideAreRefusedAmongItsSettings() {
        Configuration hidden = Configuration.fromMap(Map.of(JAAS, SECRET));
        Configuration shown = Configuration.fromMap(Map.of("kafka.sink.ssl.keystore.key", SECRET));

        assertThatCode(() -> KafkaSecrets.checkSettings(hidden)).doesNotThrowAnyException();
        assertThatThrownBy(() -> KafkaSecrets.checkSettings(shown))
                .hasMessageStartingWith("option kafka.sink.ssl.keystore.key is a setting of Flink")
                .message()
                .doesNotContain(SECRET);
    }

    @Test
    void aClientReadsASecretFromItsFile() throws IOException {
        Path file = Files.writeString(folder.resolve("jaas"), SECRET + "\n");

        Properties properties = producer(Map.of(JAAS + ".file", file.toString()));

        assertThat(properties.toString()).doesNotContain(SECRET);
        assertThat(client(properties).getPassword("sasl.jaas.config").value()).isEqualTo(SECRET);
    }

    @Test
    void oneClientsFileIsNotAnothers() throws IOException {
        Path file = Files.writeString(folder.resolve("jaas"), SECRET);

        assertThat(configuration(Map.of(JAAS + ".file", file.toString())).consumerProperties())
                .doesNotContainKey("sasl.jaas.config")
                .doesNotContainKey("config.providers");
    }

    @Test
    void aProviderOfTheUsersStaysBesideOurs() throws IOException {
        Path file = Files.writeString(folder.resolve("jaas"), SECRET);
        Map<String, String> options =
                Map.of(
                        JAAS + ".file",
                        file.toString(),
                        "kafka.sink.config.providers",
                        "dir",
                        "kafka.sink.config.providers.dir.class",
                        "org.apache.kafka.common.config.provider.DirectoryConfigProvider",
                        "kafka.sink.ssl.key.password",
                        "${dir:" + folder + ":jaas}");

        ProducerConfig client = client(producer(options));

        assertThat(client.getPassword("sasl.jaas.config").value()).isEqualTo(SECRET);
        assertThat(client.getPassword("ssl.key.password").value()).isEqualTo(SECRET);
    }

    @Test
    void aFileThatIsNotThereWhenAClientIsMadeIsNamed() throws IOException {
        Path file = Files.writeString(folder.resolve("jaas"), SECRET);
        Properties properties = producer(Map.of(JAAS + ".file", file.toString()));
        Files.delete(file);

        assertThatThrownBy(() -> client(properties))
                .isInstanceOf(ConfigException.class)
                .hasMessageContaining(
                        "the secret file " + file + " cannot be read on this machine");
    }

    @ParameterizedTest
    @ValueSource(strings = {"/no/such/file", "relative", "/", "/a:b", "/a}b", "", "\0"})
    void aFileThatCannotBeReadIsRefused(String path) {
        assertThatThrownBy(() -> configuration(Map.of(JAAS + ".file", path)))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageContaining(
                        "option " + JAAS + ".file is " + path + "; allowed: the absolute path,");
    }

    @Test
    void aSecretIsGivenOnce() throws IOException {
        Path file = Files.writeString(folder.resolve("jaas"), SECRET);

        assertThatThrownBy(
                        () -> configuration(Map.of(JAAS + ".file", file.toString(), JAAS, SECRET)))
                .hasMessage(
                        "option %1$s.file is set as well as %1$s; allowed: one of the two"
                                .formatted(JAAS));
    }

    @Test
    void fileIsPartOfANameWhereNoSecretIs() {
        assertThat(producer(Map.of("kafka.sink.client.id.file", "x")))
                .containsEntry("client.id.file", "x");
    }

    private static ProducerConfig client(Properties properties) {
        properties.put("key.serializer", ByteArraySerializer.class);
        properties.put("value.serializer", ByteArraySerializer.class);
        return new ProducerConfig(properties);
    }

    private static Properties producer(Map<String, String> options) {
        return configuration(options).producerProperties();
    }

    private static KafkaConfiguration configuration(Map<String, String> options) {
        Map<String, String> all =
                new HashMap<>(
                        Map.of(
                                "kafka.bootstrap.servers", "broker:9092",
                                "kafka.source.topics", "prompts",
                                "kafka.sink.topic", "completions",
                                "kafka.dead-letters.topic", "dead-letters"));
        all.putAll(options);
        return KafkaConfiguration.from(Configuration.fromMap(all));
    }
}
