package io.layerskip.tests.cluster;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The published job on a cluster, as somebody submitted it, and as it was submitted again. */
final class RunningJob {

    static final Path JAR =
            Path.of("..", "jobs", "target", "flink-layerskip-job.jar").toAbsolutePath();

    private final FlinkCluster cluster;
    private final KafkaBroker broker;
    private final Traffic traffic;
    private final List<String> more;
    private String id;
    private int parallelism;

    private RunningJob(TestBed bed, List<String> more) {
        this.cluster = bed.cluster();
        this.broker = bed.broker();
        this.traffic = bed.traffic();
        this.more = more;
    }

    static RunningJob submit(TestBed bed, int parallelism, String... more) throws Exception {
        RunningJob job = new RunningJob(bed, List.of(more));
        job.submit(parallelism, List.of(), List.of());
        return job;
    }

    /** A job whose main method a JobManager runs, which takes less time than a client. */
    static RunningJob submitInJobManager(TestBed bed, int parallelism, String... more)
            throws Exception {
        RunningJob job = new RunningJob(bed, List.of(more));
        job.parallelism = parallelism;
        job.id = bed.cluster().runInJobManager(JAR, parallelism, job.arguments(List.of()));
        return job;
    }

    private void submit(int parallelism, List<String> clientOptions, List<String> settings)
            throws Exception {
        this.parallelism = parallelism;
        this.id = cluster.run(JAR, parallelism, clientOptions, arguments(settings));
    }

    private List<String> arguments(List<String> settings) {
        List<String> arguments =
                new ArrayList<>(
                        List.of(
                                "--bootstrap-servers=" + broker.bootstrapServers(),
                                "--input-topic=" + Traffic.PROMPTS,
                                "--output-topic=" + Traffic.COMPLETIONS,
                                "--dead-letter-topic=" + Traffic.DEAD_LETTERS,
                                "-Dlayerskip.output-order=ORDERED"));
        arguments.addAll(more);
        arguments.addAll(settings);
        return arguments;
    }

    /** Submits it again, from a savepoint. */
    void restart(String savepoint, int newParallelism) throws Exception {
        restart(savepoint, newParallelism, List.of());
    }

    /** The same with settings that it has until the next time. */
    void restart(String savepoint, int newParallelism, List<String> settings) throws Exception {
        submit(newParallelism, List.of("-s", savepoint), settings);
    }

    FlinkCluster cluster() {
        return cluster;
    }

    KafkaBroker broker() {
        return broker;
    }

    Traffic traffic() {
        return traffic;
    }

    String id() {
        return id;
    }

    int parallelism() {
        return parallelism;
    }
}
