package io.layerskip.local;

import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.stream.Stream;
import kafka.server.KafkaConfig;
import kafka.server.KafkaRaftServer;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.metadata.storage.Formatter;

/**
 * A real Kafka broker and its controller (KRaft) in this JVM: on free ports of the loopback
 * address, with a temporary folder that goes when it is closed. For the demo and for tests; nothing
 * in it outlives the process.
 *
 * <pre>{@code
 * try (EmbeddedBroker broker = EmbeddedBroker.start()) {
 *     broker.createTopics(2, "prompts", "completions");
 *     properties.put("bootstrap.servers", broker.bootstrapServers());
 * }
 * }</pre>
 */
public final class EmbeddedBroker implements AutoCloseable {

    /** The largest record batch that a topic takes unless it says otherwise, in bytes. */
    public static final int MESSAGE_MAX_BYTES = 32 * 1024 * 1024;

    private static final int NODE_ID = 1;

    private static final Duration VISIBLE_WITHIN = Duration.ofSeconds(30);

    private final Path folder;
    private final String bootstrapServers;
    private final KafkaRaftServer server;

    private EmbeddedBroker(Path folder, String bootstrapServers, KafkaRaftServer server) {
        this.folder = folder;
        this.bootstrapServers = bootstrapServers;
        this.server = server;
    }

    /**
     * Starts a broker; takes a few seconds.
     *
     * @throws IOException if its folder cannot be made or it does not start
     */
    public static EmbeddedBroker start() throws IOException {
        return start(Map.of());
    }

    /**
     * Starts a broker with settings of your own on top, in the names of Kafka's server.properties.
     *
     * @throws IOException if its folder cannot be made or it does not start
     */
    public static EmbeddedBroker start(Map<String, String> overrides) throws IOException {
        Path folder = Files.createTempDirectory("layerskip-kafka-");
        try {
            List<Integer> ports = freePorts(2);
            Map<String, String> settings = prepare(folder, ports.get(0), ports.get(1));
            settings.putAll(overrides);
            KafkaRaftServer server =
                    new KafkaRaftServer(new KafkaConfig(settings, false), Time.SYSTEM);
            try {
                server.startup();
            } catch (RuntimeException e) {
                server.shutdown();
                throw e;
            }
            return new EmbeddedBroker(folder, "127.0.0.1:" + ports.get(0), server);
        } catch (IOException | RuntimeException e) {
            deleteAfter(folder, e);
            throw new IOException("the embedded Kafka broker did not start: " + e.getMessage(), e);
        }
    }

    /**
     * Makes a folder one that a broker can start in, with its controller.
     *
     * @param folder empty or missing
     * @return the broker's settings, in the names of Kafka's server.properties
     * @throws IOException if the folder cannot be made
     */
    public static Map<String, String> prepare(Path folder, int brokerPort, int controllerPort)
            throws IOException {
        format(folder);
        Map<String, String> settings = new HashMap<>();
        settings.put("process.roles", "broker,controller");
        settings.put("node.id", Integer.toString(NODE_ID));
        settings.put("controller.listener.names", "CONTROLLER");
        settings.put("controller.quorum.voters", NODE_ID + "@127.0.0.1:" + controllerPort);
        settings.put(
                "listeners",
                "BROKER://127.0.0.1:%d,CONTROLLER://127.0.0.1:%d"
                        .formatted(brokerPort, controllerPort));
        settings.put("listener.security.protocol.map", "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT");
        settings.put("inter.broker.listener.name", "BROKER");
        settings.put("log.dirs", folder.toString());
        settings.put("auto.create.topics.enable", "false");
        settings.put("message.max.bytes", Integer.toString(MESSAGE_MAX_BYTES));

        // One node: nothing to replicate to, nobody else to wait for, little to keep in memory.
        settings.put("offsets.topic.replication.factor", "1");
        settings.put("offsets.topic.num.partitions", "1");
        settings.put("group.initial.rebalance.delay.ms", "0");
        settings.put("transaction.state.log.replication.factor", "1");
        settings.put("transaction.state.log.min.isr", "1");
        settings.put("transaction.state.log.num.partitions", "2");
        settings.put("log.cleaner.dedupe.buffer.size", "2097152");
        return settings;
    }

    private static void format(Path folder) throws IOException {
        Formatter formatter =
                new Formatter()
                        .setPrintStream(new PrintStream(OutputStream.nullOutputStream()))
                        .setClusterId(Uuid.randomUuid().toString())
                        .setNodeId(NODE_ID)
                        .setControllerListenerName("CONTROLLER")
                        .setMetadataLogDirectory(folder.toString())
                        .addDirectory(folder.toString());
        try {
            formatter.run();
        } catch (IOException e) {
            throw e;
        } catch (Exception e) {
            throw new IOException(folder + ": cannot be made a Kafka log directory", e);
        }
    }

    /** Different ports that were free a moment ago: all are held until the last one is known. */
    public static List<Integer> freePorts(int count) throws IOException {
        if (count == 0) {
            return List.of();
        }
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return Stream.concat(Stream.of(socket.getLocalPort()), freePorts(count - 1).stream())
                    .toList();
        }
    }

    /** Where clients connect: {@code host:port}. */
    public String bootstrapServers() {
        return bootstrapServers;
    }

    /**
     * Creates topics and returns when clients can see them.
     *
     * @param partitions of each
     * @throws IOException if one of them exists already or cannot be created
     */
    public void createTopics(int partitions, String... topics) throws IOException {
        create(Stream.of(topics).map(topic -> newTopic(topic, partitions)).toList());
    }

    /**
     * Creates a topic with settings of its own and returns when clients can see it.
     *
     * @param settings in Kafka's names, such as {@code max.message.bytes}
     * @throws IOException if it exists already or cannot be created
     */
    public void createTopic(String topic, int partitions, Map<String, String> settings)
            throws IOException {
        create(List.of(newTopic(topic, partitions).configs(settings)));
    }

    private static NewTopic newTopic(String topic, int partitions) {
        return new NewTopic(topic, partitions, (short) 1);
    }

    private void create(List<NewTopic> topics) throws IOException {
        List<String> names = topics.stream().map(NewTopic::name).toList();
        try (Admin admin =
                Admin.create(
                        Map.<String, Object>of(
                                AdminClientConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrapServers))) {
            admin.createTopics(topics).all().get();
            // The controller knows them now; the broker, which clients ask, is a moment behind.
            Instant deadline = Instant.now().plus(VISIBLE_WITHIN);
            while (!areVisible(admin, names)) {
                if (Instant.now().isAfter(deadline)) {
                    throw new IOException(
                            "topics " + names + ": not visible within " + VISIBLE_WITHIN);
                }
            }
        } catch (ExecutionException e) {
            throw new IOException("topics " + names + ": " + e.getCause(), e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while topics were created", e);
        }
    }

    private static boolean areVisible(Admin admin, List<String> topics)
            throws ExecutionException, InterruptedException {
        try {
            admin.describeTopics(topics).allTopicNames().get();
            return true;
        } catch (ExecutionException e) {
            if (e.getCause() instanceof UnknownTopicOrPartitionException) {
                return false;
            }
            throw e;
        }
    }

    /**
     * Stops the broker and deletes what it stored. Idempotent.
     *
     * @throws UncheckedIOException if something of it stays behind
     */
    @Override
    public void close() {
        server.shutdown();
        server.awaitShutdown();
        try {
            Utils.delete(folder.toFile());
        } catch (IOException e) {
            throw new UncheckedIOException(folder + ": cannot be deleted", e);
        }
    }

    private static void deleteAfter(Path folder, Exception failure) {
        try {
            Utils.delete(folder.toFile());
        } catch (IOException e) {
            failure.addSuppressed(e);
        }
    }
}
