package io.layerskip.tests.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;

/**
 * What dashboard and alerts ask for is there: a real Prometheus reads Flink's own reporter, while
 * prompts are completed, some fail and some records are none. Logs and Prometheus's data stay in
 * target/monitoring.
 */
@EnabledIfSystemProperty(
        named = "monitoring",
        matches = "true",
        disabledReason = "needs Prometheus: ./mvnw verify -Pmonitoring")
class MonitoringITCase {

    private static final int PARTITIONS = 2;
    private static final int PARALLELISM = 2;
    private static final Duration ANSWERED = Duration.ofMinutes(2);

    private static final String RULES_TEST = "src/test/resources/rules-test.yml";

    private static final String NOT_RUNNING = "LayerSkipNotRunning";
    private static final String RUNNING = "flink_taskmanager_job_task_operator_layerskip_prompts";
    private static final String NO_CHECKPOINT = "LayerSkipNoCheckpoint";
    private static final String CHECKPOINT =
            "time() - flink_jobmanager_job_lastCheckpointCompletedTimestamp / 1000 < 5";

    /** Checkpoints are a second apart here. */
    private static final Map<String, String> THRESHOLDS = Map.of(NO_CHECKPOINT, "5");

    private static TestBed bed;
    private static Prometheus prometheus;

    private RunningJob job;

    @BeforeAll
    static void start() throws Exception {
        Path folder = TestBed.folder("monitoring");
        bed = TestBed.startMonitored(folder, PARTITIONS, prompts());
        prometheus =
                Prometheus.start(
                        MonitoringFiles.write(folder, bed.cluster().metricsTargets(), THRESHOLDS),
                        Files.createDirectories(folder.resolve("prometheus")));
        bed.traffic().start();
    }

    /** The last one has no room in the model's context. */
    private static List<String> prompts() throws Exception {
        List<String> prompts = new ArrayList<>(Traffic.goldenPrompts().subList(0, 6));
        prompts.add("banking: " + "I lost my card ".repeat(1_000) + "\n");
        return prompts;
    }

    @AfterAll
    static void stop() {
        if (prometheus != null) {
            prometheus.close();
        }
        if (bed != null) {
            bed.close();
        }
    }

    @AfterEach
    void cancel() throws Exception {
        if (job != null && bed.cluster().state(job.id()).equals("RUNNING")) {
            bed.cluster().cancel(job.id());
        }
    }

    @Test
    void prometheusTakesConfigurationAndRules() throws Exception {
        System.out.println(
                JvmProcess.run("promtool", "check", "config", MonitoringFiles.CONFIG.toString()));
    }

    @Test
    void everyAlertFiresWhenItShouldAndNotBefore() throws Exception {
        System.out.println(JvmProcess.run("promtool", "test", "rules", RULES_TEST));
    }

    @Test
    void everyExpressionReturnsData() throws Exception {
        submit();
        assertThat(bed.traffic().awaitNumber(bed.traffic().sent() + 100, ANSWERED)).isTrue();

        Map<String, String> empty = new LinkedHashMap<>();
        Map<String, String> expressions = MonitoringFiles.expressions();
        for (Map.Entry<String, String> expression : expressions.entrySet()) {
            int series = prometheus.count(expression.getValue());
            System.out.printf("%d series: %s%n", series, expression.getKey());
            if (series == 0) {
                empty.put(expression.getKey(), expression.getValue());
            }
        }

        assertThat(empty).as("without data, of %d expressions", expressions.size()).isEmpty();
    }

    @Test
    void alertsWhenCheckpointsFail() throws Exception {
        submit();
        awaitQuiet(NO_CHECKPOINT, CHECKPOINT);

        bed.cluster().forbidJobManagersToWrite();
        try {
            awaitAlert(NO_CHECKPOINT);
        } finally {
            bed.cluster().allowJobManagersToWrite();
        }

        awaitQuiet(NO_CHECKPOINT, CHECKPOINT);
    }

    @Test
    void alertsWhenTheJobIsStopped() throws Exception {
        submit();
        awaitQuiet(NOT_RUNNING, RUNNING);

        bed.cluster().cancel(job.id());

        awaitAlert(NOT_RUNNING);
    }

    private void submit() throws Exception {
        job =
                RunningJob.submit(
                        bed,
                        PARALLELISM,
                        "-Dexecution.checkpointing.tolerable-failed-checkpoints=1000");
        bed.cluster().awaitRunning(job.id());
    }

    private static void awaitAlert(String alert) throws Exception {
        FlinkCluster.await("the alert " + alert, () -> prometheus.fires(alert));
    }

    /** Waits until Prometheus has seen that all is well, and what it thought before is over. */
    private static void awaitQuiet(String alert, String allIsWell) throws Exception {
        FlinkCluster.await(allIsWell, () -> prometheus.count(allIsWell) > 0);
        FlinkCluster.await("the end of the alert " + alert, () -> !prometheus.fires(alert));
    }
}
