package io.layerskip.tests.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.layerskip.local.EmbeddedBroker;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.common.security.scram.ScramLoginModule;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Security settings pass through to Kafka's clients, and nobody gets to see them: the published job
 * against a broker that wants TLS and a password (SASL/SCRAM). Logs stay in target/security/logs.
 */
class KafkaSecurityITCase {

    private static final String SAN = "SAN=IP:127.0.0.1";
    private static final String USER = "job";
    private static final String PASSWORD = "Secret-of-the-user-7";
    private static final String WRONG_PASSWORD = "Secret-of-nobody-8";
    private static final String STORE_PASSWORD = "Secret-of-the-store-9";
    private static final String ALL_SECRETS = "Secret-of";
    private static final int REQUESTS = 20;

    private Path folder;
    private int port;
    private Path trustStore;
    @AutoClose private TestBed bed;
    private FlinkCluster cluster;
    private Traffic traffic;

    @BeforeEach
    void start() throws Exception {
        folder = TestBed.folder("security");
        Path keyStore = folder.resolve("broker.p12");
        Path certificate = folder.resolve("broker.pem");
        trustStore = folder.resolve("clients.p12");
        keytool(keyStore, "-genkeypair", "-keyalg", "EC", "-dname", "CN=broker", "-ext", SAN);
        keytool(keyStore, "-exportcert", "-rfc", "-file", certificate.toString());
        keytool(trustStore, "-importcert", "-noprompt", "-file", certificate.toString());

        port = EmbeddedBroker.freePorts(1).get(0);
        KafkaBroker broker =
                KafkaBroker.startSecured(folder.resolve("broker"), port, keyStore, STORE_PASSWORD);
        bed = TestBed.start(folder, broker, 1, Traffic.goldenPrompts());
        cluster = bed.cluster();
        traffic = bed.traffic();
        broker.addUser(USER, PASSWORD);
    }

    private static void keytool(Path store, String... arguments) throws Exception {
        List<String> command = new ArrayList<>();
        command.add(Jvm.program("keytool"));
        command.addAll(List.of(arguments));
        command.addAll(List.of("-alias", "broker", "-storetype", "PKCS12"));
        command.addAll(List.of("-keystore", store.toString(), "-storepass", STORE_PASSWORD));
        JvmProcess.run(command.toArray(String[]::new));
    }

    @Test
    void secretsPassThroughAndAreNeverShown() throws Exception {
        RunningJob job = RunningJob.submit(bed, 1, "--config=" + settings("right", PASSWORD));
        cluster.awaitRunning(job.id());
        traffic.send(REQUESTS);

        assertThat(traffic.awaitAll(Duration.ofMinutes(1))).as("answered").isTrue();
        assertThat(cluster.shown(job.id())).contains("layerskip").doesNotContain(ALL_SECRETS);

        String wrong = settings("wrong", WRONG_PASSWORD);
        assertThatThrownBy(() -> RunningJob.submit(bed, 1, "--config=" + wrong))
                .hasMessageContaining("option kafka.bootstrap.servers is ")
                .hasMessageContaining("invalid credentials")
                .message()
                .doesNotContain(ALL_SECRETS);
        assertThat(cluster.logged()).contains(job.id()).doesNotContain(ALL_SECRETS);
    }

    /** Writes the job's settings to a file: a command line is seen by others. */
    private String settings(String name, String password) throws Exception {
        Properties settings = new Properties();
        for (String client : List.of("kafka.source.", "kafka.sink.")) {
            settings.setProperty(client + "bootstrap.servers", "127.0.0.1:" + port);
            settings.setProperty(client + "security.protocol", "SASL_SSL");
            settings.setProperty(client + "sasl.mechanism", KafkaBroker.SCRAM.mechanismName());
            settings.setProperty(
                    client + "sasl.jaas.config",
                    "%s required username=\"%s\" password=\"%s\";"
                            .formatted(ScramLoginModule.class.getName(), USER, password));
            settings.setProperty(client + "ssl.truststore.type", "PKCS12");
            settings.setProperty(client + "ssl.truststore.location", trustStore.toString());
            settings.setProperty(client + "ssl.truststore.password", STORE_PASSWORD);
        }
        Path file = folder.resolve(name + ".properties");
        try (OutputStream out = Files.newOutputStream(file)) {
            settings.store(out, null);
        }
        return file.toString();
    }
}
