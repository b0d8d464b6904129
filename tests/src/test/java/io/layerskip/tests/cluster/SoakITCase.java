package io.layerskip.tests.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.ToLongFunction;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * A job that has more to do than it can: first a backlog, then one prompt after another for a
 * while. Logs stay in target/soak/logs.
 *
 * <p>{@code -Dsoak.backlog=100000} is how many prompts lie there when the job starts; {@code
 * -Dsoak.minutes=30} is how long it goes on afterwards. Samples are printed, once a tenth of the
 * backlog and once a minute.
 */
class SoakITCase {

    private static final int BACKLOG = Integer.getInteger("soak.backlog");
    private static final int MINUTES = Integer.getInteger("soak.minutes");

    private static final int PARTITIONS = 2;
    private static final int PARALLELISM = 2;

    /** Prompts that lie there at least while the soak lasts. */
    private static final int QUEUE = 1_000;

    private static final Duration TENTH = Duration.ofMinutes(10);
    private static final Duration MINUTE = Duration.ofMinutes(1);

    @AutoClose private TestBed bed;
    private FlinkCluster cluster;
    private Traffic traffic;
    private RunningJob job;

    /** Of each TaskManager. */
    private final List<List<Footprint>> samples = new ArrayList<>();

    @BeforeEach
    void start() throws Exception {
        bed = TestBed.start(TestBed.folder("soak"), PARTITIONS, Traffic.goldenPrompts());
        cluster = bed.cluster();
        traffic = bed.traffic();
    }

    @Test
    void worksABacklogOffAndDoesNotGrow() throws Exception {
        System.out.println(
                "answered, prompts/s, checkpoints, failed, longest ms, for each TaskManager: "
                        + Footprint.COLUMNS);
        traffic.send(BACKLOG);
        job = RunningJob.submit(bed, PARALLELISM);
        cluster.awaitRunning(job.id());
        int completed = cluster.checkpointsOf(job.id()).completed();
        for (int tenth = 1; tenth <= 10; tenth++) {
            long start = System.nanoTime();
            int before = traffic.answered();
            assertThat(traffic.awaitAnswered((int) (BACKLOG * (long) tenth / 10), TENTH))
                    .as("tenth %d answered", tenth)
                    .isTrue();
            sample(before, start);
        }

        samples.clear();
        for (int minute = 1; minute <= MINUTES; minute++) {
            long start = System.nanoTime();
            int before = traffic.answered();
            while (System.nanoTime() - start < MINUTE.toNanos()) {
                traffic.send(QUEUE);
                traffic.awaitAnswered(traffic.sent() - QUEUE, MINUTE);
            }
            sample(before, start);
        }
        traffic.awaitAll(TENTH);

        assertThat(traffic.missing()).isEmpty();
        assertThat(traffic.duplicates()).isEmpty();
        assertThat(traffic.keysOutOfOrder()).isEmpty();
        assertThat(cluster.checkpointsOf(job.id()).completed())
                .as("completed checkpoints")
                .isGreaterThan(completed);
        assertFlat();
    }

    private void sample(int answeredBefore, long start) throws Exception {
        double seconds = (System.nanoTime() - start) / 1e9;
        List<Footprint> footprints = new ArrayList<>();
        for (int i = 0; i < FlinkCluster.TASK_MANAGERS; i++) {
            footprints.add(Footprint.of(cluster.taskManager(i)));
        }
        FlinkCluster.Checkpoints checkpoints = cluster.checkpointsOf(job.id());
        System.out.printf(
                "%d, %.0f, %d, %d, %d, %s%n",
                traffic.answered(),
                (traffic.answered() - answeredBefore) / seconds,
                checkpoints.completed(),
                checkpoints.failed(),
                checkpoints.longestMs(),
                footprints);
        assertThat(footprints)
                .extracting(Footprint::residentKb)
                .allMatch(kb -> kb < FlinkCluster.TASK_MANAGER_MB * 1024L);
        samples.add(footprints);
    }

    /** The last quarter of the samples takes what the second one took; the first one warms up. */
    private void assertFlat() {
        int quarter = samples.size() / 4;
        for (int i = 0; quarter > 0 && i < FlinkCluster.TASK_MANAGERS; i++) {
            int taskManager = i;
            List<Footprint> own =
                    samples.stream().map(footprints -> footprints.get(taskManager)).toList();
            List<Footprint> second = own.subList(quarter, 2 * quarter);
            List<Footprint> last = own.subList(own.size() - quarter, own.size());
            assertFlat("resident", second, last, Footprint::residentKb);
            assertFlat("outside the heap", second, last, Footprint::outsideHeapKb);
            assertFlat("metaspace", second, last, Footprint::metaspaceKb);
            assertFlat("threads", second, last, Footprint::threads);
            assertFlat("files", second, last, Footprint::files);
        }
    }

    private static void assertFlat(
            String what,
            List<Footprint> before,
            List<Footprint> after,
            ToLongFunction<Footprint> number) {
        double then = before.stream().mapToLong(number).average().orElseThrow();
        double now = after.stream().mapToLong(number).average().orElseThrow();
        assertThat(now / then).as("%s, from %.0f to %.0f", what, then, now).isLessThan(1.1);
    }
}
