package io.layerskip.tests.cluster;

import io.layerskip.jobs.EmbeddedBroker;
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
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TransactionListing;
import org.apache.kafka.clients.admin.TransactionState;

/** A Kafka broker (KRaft) in a JVM of its own, which keeps its records when it is killed. */
final class KafkaBroker implements AutoCloseable {

    private final Path folder;
    private final int port;
    private JvmProcess process;

    private KafkaBroker(Path folder, int port) {
        this.folder = folder;
        this.port = port;
    }

    static KafkaBroker start(Path folder) throws Exception {
        List<Integer> ports = EmbeddedBroker.freePorts(2);
        KafkaBroker broker = new KafkaBroker(Files.createDirectories(folder), ports.get(0));
        Properties properties = new Properties();
        properties.putAll(
                EmbeddedBroker.prepare(folder.resolve("data"), ports.get(0), ports.get(1)));
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
                                List.of("-Xmx512m"),
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
