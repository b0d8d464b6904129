package io.layerskip.tests.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import java.util.stream.Stream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Whatever fails, every request leaves exactly once, and those of a key in their order: a real
 * broker, a highly available Flink cluster and the published jar, each in JVMs of their own. Logs
 * stay in target/faults/logs.
 *
 * <p>{@code -Dfaults=100} lets so many faults happen, drawn at random, and prints a table; {@code
 * -Dseed=...} repeats a run; {@code -Dfaults=HUNG_PASS,RESCALED} lets these happen.
 */
class FaultsITCase {

    private static final List<Fault> BY_DEFAULT =
            List.of(
                    // Kills TaskManagers too.
                    Fault.POISON_PROMPT, Fault.LEADING_JOB_MANAGER_KILLED, Fault.BROKER_KILLED);

    private static final int PARTITIONS = 3;
    private static final int PARALLELISM = 2;
    private static final int REQUESTS_BEFORE = 20;
    private static final Duration RECOVERY = Duration.ofMinutes(3);

    @AutoClose private TestBed bed;
    private FlinkCluster cluster;
    private Traffic traffic;

    @BeforeEach
    void start() throws Exception {
        bed =
                TestBed.startPoisonable(
                        TestBed.folder("faults"), PARTITIONS, Traffic.goldenPrompts());
        cluster = bed.cluster();
        traffic = bed.traffic();
    }

    @Test
    void everyRequestLeavesExactlyOnceAndInOrderWhateverFails() throws Exception {
        long seed = Long.getLong("seed", Instant.now().getEpochSecond());
        RandomGenerator random = RandomGeneratorFactory.of("L64X128MixRandom").create(seed);
        List<Fault> faults = faults(random);
        System.out.printf("seed %d, faults %d%n", seed, faults.size());
        System.out.println(
                "fault, recovered after s, requests, lost, duplicated, out of order,"
                        + " wrong, tokens resumed, tokens recomputed");

        RunningJob job =
                RunningJob.submit(
                        bed,
                        PARALLELISM,
                        "-Dlayerskip.pass-timeout=5 s",
                        "-Dkafka.source.partition.discovery.interval.ms=2000");
        cluster.awaitRunning(job.id());
        traffic.start();
        long resumed = 0;
        long recomputed = 0;
        for (Fault fault : faults) {
            assertThat(traffic.awaitNumber(traffic.sent() + REQUESTS_BEFORE, RECOVERY))
                    .as("requests answered before %s", fault)
                    .isTrue();
            fault.happen(job, random);

            Instant over = Instant.now();
            int next = traffic.sent();
            boolean recovered = traffic.awaitNumber(next, RECOVERY);
            double seconds = Duration.between(over, Instant.now()).toMillis() / 1e3;
            traffic.pause();
            traffic.awaitAll(RECOVERY);
            long resumedBefore = resumed;
            long recomputedBefore = recomputed;
            resumed = cluster.counter("resumedTokens");
            recomputed = cluster.counter("tokens") - traffic.completionTokens();
            System.out.printf(
                    "%s, %.1f, %d, %d, %d, %d, %d, %d, %d%n",
                    fault,
                    seconds,
                    traffic.sent(),
                    traffic.missing().size(),
                    traffic.duplicates().size(),
                    traffic.keysOutOfOrder().size(),
                    traffic.wrongTexts().size(),
                    resumed - resumedBefore,
                    recomputed - recomputedBefore);
            assertThat(recovered).as("recovered after %s", fault).isTrue();
            assertThat(traffic.missing()).as("lost after %s", fault).isEmpty();
            assertThat(traffic.duplicates()).as("duplicated after %s", fault).isEmpty();
            assertThat(traffic.keysOutOfOrder()).as("out of order after %s", fault).isEmpty();
            assertThat(traffic.wrongTexts()).as("wrong texts after %s", fault).isEmpty();
            assertThat(cluster.state(job.id())).isEqualTo("RUNNING");
            traffic.resume();
        }
        traffic.pause();
        cluster.stop(job.id());

        cluster.awaitState(job.id(), "FINISHED");
        assertThat(bed.broker().openTransactions()).isEmpty();
    }

    private static List<Fault> faults(RandomGenerator random) {
        String wanted = System.getProperty("faults", "").strip();
        if (wanted.isEmpty() || wanted.equals("0")) {
            return BY_DEFAULT;
        }
        if (!Character.isDigit(wanted.charAt(0))) {
            return Stream.of(wanted.split(",")).map(Fault::valueOf).toList();
        }
        int count = Integer.parseInt(wanted);
        List<Fault> faults = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            faults.add(Fault.values()[random.nextInt(Fault.values().length)]);
        }
        return faults;
    }
}
