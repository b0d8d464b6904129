package io.layerskip.tests.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * A session cluster that is given job after job keeps nothing of the earlier ones. Logs stay in
 * target/resubmission/logs.
 */
class ResubmissionITCase {

    private static final int SUBMISSIONS = 3;

    /** Every so many submissions, the job fails too and recovers on the same TaskManagers. */
    private static final int FAILURE_EVERY = 2;

    private static final int PARTITIONS = 2;
    private static final int PARALLELISM = 2;
    private static final int REQUESTS = 3;
    private static final Duration ANSWERED = Duration.ofMinutes(1);

    @AutoClose private TestBed bed;
    private FlinkCluster cluster;
    private Traffic traffic;

    @BeforeEach
    void start() throws Exception {
        bed =
                TestBed.start(
                        TestBed.folder("resubmission"),
                        PARTITIONS,
                        List.of("banking: My card did not arrive\n"));
        cluster = bed.cluster();
        traffic = bed.traffic();
    }

    @Test
    void submissionsLeaveNothingBehind() throws Exception {
        System.out.println("submission, process, " + Footprint.COLUMNS);
        traffic.pause();
        traffic.start();
        for (int submission = 1; submission <= SUBMISSIONS; submission++) {
            RunningJob job = RunningJob.submitInJobManager(bed, PARALLELISM);
            cluster.awaitRunning(job.id());
            assertAnswers("submission " + submission);
            if (submission % FAILURE_EVERY == 0) {
                Fault.CHECKPOINTS_REFUSED.happen(job, new Random());
                assertAnswers("submission " + submission + ", failed");
            }
            cluster.cancel(job.id());
            for (int i = 0; i < FlinkCluster.TASK_MANAGERS; i++) {
                System.out.printf(
                        "%d, taskmanager-%d, %s%n",
                        submission, i, Footprint.of(cluster.taskManager(i)));
            }
        }

        for (Map.Entry<String, JvmProcess> process : cluster.processes().entrySet()) {
            // The last one's goes when its slots are given back, which nobody waits for.
            assertThat(Footprint.of(process.getValue()).userClassLoaders())
                    .as("user class loaders in %s", process.getKey())
                    .isLessThan(2);
            assertThat(process.getValue().output()).doesNotContain("UnsatisfiedLinkError");
            assertThat(cluster.temporary(process.getKey()))
                    .isDirectoryNotContaining("glob:**/{onnxruntime,layerskip}*");
        }
    }

    private void assertAnswers(String when) {
        int next = traffic.sent();
        traffic.resume();
        boolean answered = traffic.awaitNumber(next + REQUESTS, ANSWERED);
        traffic.pause();
        assertThat(answered).as("requests answered, %s", when).isTrue();
    }
}
