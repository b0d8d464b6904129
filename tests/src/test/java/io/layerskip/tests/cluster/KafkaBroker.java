package io.layerskip.tests.cluster;

import io.layerskip.local.EmbeddedBroker;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Stream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListTransactionsOptions;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.ScramMechanism;
import org.apache.kafka.clients.admin.TransactionListing;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.admin.UserScramCredentialUpsertion;
import org.apache.kafka.common.security.scram.ScramLoginModule;

/** A Kafka broker (KRaft) in a JVM of its own, which keeps its records when it is killed. */
final class KafkaBroker implements AutoCloseable {

    static final ScramMechanism SCRAM = ScramMechanism.SCRAM_SHA_512;

    private final Path folder;
    private final int port;
    private JvmProcess process;

    private KafkaBroker(Path folder, int port) {
        this.folder = folder;
        this.port = port;
    }

    static KafkaBroker start(Path folder) throws Exception {
        List<Integer> ports = EmbeddedBroker.freePorts(2);
        return start(folder, ports.get(0), ports.get(1), Map.of());
    }

    /**
     * Starts one that is reached in two ways: as others are, and at another port with TLS and
     * SASL/SCRAM.
     *
     * @param keyStore PKCS12, with the broker's certificate
     * @param password of the key store
     */
    static KafkaBroker startSecured(Path folder, int securedPort, Path keyStore, String password)
            throws Exception {
        List<Integer> ports = EmbeddedBroker.freePorts(2);
        String listeners = "BROKER://127.0.0.1:%d,CONTROLLER://127.0.0.1:%d,SECURED://127.0.0.1:%d";
        return start(
                folder,
                ports.get(0),
                ports.get(1),
                Map.of(
                        "listeners",
                        listeners.formatted(ports.get(0), ports.get(1), securedPort),
                        "listener.security.protocol.map",
                        "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURED:SASL_SSL",
                        "sasl.enabled.mechanisms",
                        SCRAM.mechanismName(),
                        "listener.name.secured.scram-sha-512.sasl.jaas.config",
                        ScramLoginModule.class.getName() + " required;",
                        "ssl.keystore.type",
                        "PKCS12",
                        "ssl.keystore.location",
                        keyStore.toString(),
                        "ssl.keystore.password",
                        password));
    }

    private static KafkaBroker start(
            Path folder, int port, int controllerPort, Map<String, String> overrides)
            throws Exception {
        KafkaBroker broker = new KafkaBroker(Files.createDirectories(folder), port);
        Properties properties = new Properties();
        properties.putAll(EmbeddedBroker.prepare(folder.resolve("data"), port, controllerPort));
        // A transaction that is open for too long is aborted at once, and not up to 10 s later.
        properties.put("transaction.abort.timed.out.transaction.cleanup.interval.ms", "1000");
        properties.putAll(overrides);
        try (OutputStream out = Files.newOutputStream(broker.settings())) {
            properties.store(out, null);
        }
        broker.restart();
        return broker;
    }

    private Path settings() {
        return folder.resolve("server.properties");
    }

    /** Starts it again after {@link #kill()}, with the records that it had. */
    void restart() throws IOException {
        process =
                JvmProcess.start(
                        new JvmProcess.Program(
                                Jvm.testClassPath(),
                                List.of("-Xmx512m", JvmProcess.QUICK),
                                "kafka.Kafka",
                                List.of(settings().toString())),
                        Map.of(),
                        folder.resolve("broker.log"));
    }

    void kill() {
        process.close();
    }

    String bootstrapServers() {
        return "127.0.0.1:" + port;
    }

    void createTopics(int partitions, String... topics) throws Exception {
        try (Admin admin = admin()) {
            admin.createTopics(
                            Stream.of(topics)
                                    .map(topic -> new NewTopic(topic, partitions, (short) 1))
                                    .toList())
                    .all()
                    .get();
        }
    }

    /** Adds a partition to a topic. */
    void addPartition(String topic) throws Exception {
        try (Admin admin = admin()) {
            int before =
                    admin.describeTopics(List.of(topic))
                            .allTopicNames()
                            .get()
                            .get(topic)
                            .partitions()
                            .size();
            admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(before + 1))).all().get();
        }
    }

    /** Adds somebody who may connect to the secured port. */
    void addUser(String name, String password) throws Exception {
        try (Admin admin = admin()) {
            admin.alterUserScramCredentials(
                            List.of(
                                    new UserScramCredentialUpsertion(
                                            name, new ScramCredentialInfo(SCRAM, 4096), password)))
                    .all()
                    .get();
        }
    }

    /** Transactions that are neither committed nor aborted. */
    List<TransactionListing> openTransactions() throws Exception {
        try (Admin admin = admin()) {
            return List.copyOf(
                    admin.listTransactions(
                                    new ListTransactionsOptions()
                                            .filterStates(List.of(TransactionState.ONGOING)))
                            .all()
                            .get());
        }
    }

    private Admin admin() {
        return Admin.create(
                Map.of(
                        "bootstrap.servers",
                        bootstrapServers(),
                        "default.api.timeout.ms",
                        (int) Duration.ofMinutes(2).toMillis()));
    }

    @Override
    public void close() {
        process.close();
    }
}
