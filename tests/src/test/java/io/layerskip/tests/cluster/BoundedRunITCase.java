package io.layerskip.tests.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.Random;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * A job that ends has written each record exactly once when it is FINISHED, also when a TaskManager
 * is killed on the way: a real broker, a highly available Flink cluster and the published jar, each
 * in JVMs of their own. Logs stay in target/bounded/logs.
 */
class BoundedRunITCase {

    private static final int PARTITIONS = 3;
    private static final int PARALLELISM = 2;
    private static final int RECORDS = 3000;
    private static final Duration PATIENCE = Duration.ofMinutes(3);

    @AutoClose private TestBed bed;
    private Traffic traffic;

    @BeforeEach
    void start() throws Exception {
        bed = TestBed.start(TestBed.folder("bounded"), PARTITIONS, Traffic.goldenPrompts());
        traffic = bed.traffic();
    }

    @Test
    void aTaskManagerKilledHalfwayCostsNoRecord() throws Exception {
        traffic.send(RECORDS);
        RunningJob job =
                RunningJob.submit(
                        bed,
                        PARALLELISM,
                        "--job=enrich",
                        "-Dlayerskip.prompt-template={{prompt}}",
                        "-Dlayerskip.usage-field=usage",
                        "-Dkafka.source.ending-offsets=LATEST");
        assertThat(traffic.awaitAnswered(RECORDS / 4, PATIENCE)).isTrue();

        Fault.TASK_MANAGER_KILLED.happen(job, new Random());

        assertThat(traffic.answered()).as("answered by then").isLessThan(RECORDS);
        bed.cluster().awaitState(job.id(), "FINISHED");
        assertThat(traffic.awaitAll(PATIENCE)).isTrue();
        assertThat(traffic.missing()).as("lost").isEmpty();
        assertThat(traffic.duplicates()).as("duplicated").isEmpty();
        assertThat(traffic.keysOutOfOrder()).as("out of order").isEmpty();
        assertThat(bed.broker().openTransactions()).isEmpty();
    }
}
