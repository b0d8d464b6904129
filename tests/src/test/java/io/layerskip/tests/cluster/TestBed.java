package io.layerskip.tests.cluster;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.apache.kafka.common.utils.Utils;

/**
 * A broker, a Flink cluster and traffic between them. Everything is stopped when this is closed,
 * and also if a part of it does not start.
 */
final class TestBed implements AutoCloseable {

    private final KafkaBroker broker;
    private final FlinkCluster cluster;
    private final Traffic traffic;

    private TestBed(KafkaBroker broker, FlinkCluster cluster, Traffic traffic) {
        this.broker = broker;
        this.cluster = cluster;
        this.traffic = traffic;
    }

    /** A folder of that name in target, emptied; what is written there stays. */
    static Path folder(String name) throws Exception {
        Path folder = Path.of("target", name).toAbsolutePath();
        Utils.delete(folder.toFile());
        return Files.createDirectories(folder);
    }

    /**
     * Starts everything.
     *
     * @param folder for logs, settings and data
     * @param partitions of each topic
     * @param prompts what the traffic chooses from
     */
    static TestBed start(Path folder, int partitions, List<String> prompts) throws Exception {
        return start(folder, KafkaBroker.start(folder.resolve("broker")), partitions, prompts);
    }

    /** The same with a cluster whose metrics Prometheus can read. */
    static TestBed startMonitored(Path folder, int partitions, List<String> prompts)
            throws Exception {
        KafkaBroker broker = KafkaBroker.start(folder.resolve("broker"));
        return start(() -> FlinkCluster.startMonitored(folder), broker, partitions, prompts);
    }

    /** The same with TaskManagers that some prompts kill; see {@link PoisonAgent}. */
    static TestBed startPoisonable(Path folder, int partitions, List<String> prompts)
            throws Exception {
        KafkaBroker broker = KafkaBroker.start(folder.resolve("broker"));
        return start(() -> FlinkCluster.startPoisonable(folder), broker, partitions, prompts);
    }

    /** The same with a broker that runs; it is stopped with the rest. */
    static TestBed start(Path folder, KafkaBroker broker, int partitions, List<String> prompts)
            throws Exception {
        return start(() -> FlinkCluster.start(folder), broker, partitions, prompts);
    }

    private static TestBed start(
            Callable<FlinkCluster> flink, KafkaBroker broker, int partitions, List<String> prompts)
            throws Exception {
        try {
            FlinkCluster cluster = flink.call();
            try {
                broker.createTopics(
                        partitions, Traffic.PROMPTS, Traffic.COMPLETIONS, Traffic.DEAD_LETTERS);
                return new TestBed(
                        broker, cluster, new Traffic(broker.bootstrapServers(), prompts));
            } catch (Exception | Error e) {
                cluster.close();
                throw e;
            }
        } catch (Exception | Error e) {
            broker.close();
            throw e;
        }
    }

    KafkaBroker broker() {
        return broker;
    }

    FlinkCluster cluster() {
        return cluster;
    }

    Traffic traffic() {
        return traffic;
    }

    @Override
    public void close() {
        traffic.close();
        cluster.close();
        broker.close();
    }
}
