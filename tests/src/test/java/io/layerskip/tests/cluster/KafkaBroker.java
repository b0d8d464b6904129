package io.layerskip.tests.cluster;

import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListTransactionsOptions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TransactionListing;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.metadata.storage.Formatter;

/** A Kafka broker (KRaft) in a JVM of its own, which keeps its records when it is killed. */
final class KafkaBroker implements AutoCloseable {

    private static final int NODE = 1;

    private final Path folder;
    private final int port;
    private JvmProcess process;

    private KafkaBroker(Path folder, int port) {
        this.folder = folder;
        this.port = port;
    }

    static KafkaBroker start(Path folder) throws Exception {
        List<Integer> ports = Ports.free(2);
        KafkaBroker broker = new KafkaBroker(Files.createDirectories(folder), ports.get(0));
        Path data = folder.resolve("data");
        Properties properties = new Properties();
        properties.putAll(
                Map.ofEntries(
                        Map.entry("process.roles", "broker,controller"),
                        Map.entry("node.id", Integer.toString(NODE)),
                        Map.entry("controller.listener.names", "CONTROLLER"),
                        Map.entry("controller.quorum.voters", NODE + "@127.0.0.1:" + ports.get(1)),
                        Map.entry(
                                "listeners",
                                "BROKER://127.0.0.1:%d,CONTROLLER://127.0.0.1:%d"
                                        .formatted(ports.get(0), ports.get(1))),
                        Map.entry(
                                "listener.security.protocol.map",
                                "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT"),
                        Map.entry("inter.broker.listener.name", "BROKER"),
                        Map.entry("log.dirs", data.toString()),
                        Map.entry("auto.create.topics.enable", "false"),
                        Map.entry("offsets.topic.replication.factor", "1"),
                        Map.entry("offsets.topic.num.partitions", "1"),
                        Map.entry("group.initial.rebalance.delay.ms", "0"),
                        Map.entry("transaction.state.log.replication.factor", "1"),
                        Map.entry("transaction.state.log.min.isr", "1"),
                        Map.entry("transaction.state.log.num.partitions", "2"),
                        Map.entry("log.cleaner.dedupe.buffer.size", "2097152")));
        try (OutputStream out = Files.newOutputStream(broker.settings())) {
            properties.store(out, null);
        }
        new Formatter()
                .setPrintStream(new PrintStream(OutputStream.nullOutputStream()))
                .setClusterId(Uuid.randomUuid().toString())
                .setNodeId(NODE)
                .setControllerListenerName("CONTROLLER")
                .setMetadataLogDirectory(data.toString())
                .addDirectory(data.toString())
                .run();
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
                            java.util.stream.Stream.of(topics)
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
