package io.layerskip.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.layerskip.jobs.GenerationJob;
import io.layerskip.jobs.JobType;
import io.layerskip.local.EmbeddedBroker;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.flink.api.common.JobStatus;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.configuration.StateRecoveryOptions;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.metrics.Counter;
import org.apache.flink.runtime.testutils.InMemoryReporter;
import org.apache.flink.runtime.testutils.MiniClusterResourceConfiguration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListTransactionsOptions;
import org.apache.kafka.clients.admin.TransactionListing;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** A job that starts from a savepoint whose transaction the brokers have aborted since. */
class LostTransactionITCase {

    private static final Duration DEADLINE = Duration.ofMinutes(1);
    private static final InMemoryReporter METRICS = InMemoryReporter.create();

    @RegisterExtension
    private static final MiniClusterExtension CLUSTER =
            new MiniClusterExtension(
                    new MiniClusterResourceConfiguration.Builder()
                            .setConfiguration(METRICS.addToConfiguration(new Configuration()))
                            .build());

    @TempDir private Path savepoints;
    @AutoClose private EmbeddedBroker broker;
    @AutoClose private Admin admin;
    private String savepoint;

    @BeforeEach
    void loseTheTransactionOfASavepoint() throws Exception {
        broker = EmbeddedBroker.start();
        broker.createTopics(1, "prompts", "completions", "dead-letters");
        admin = Admin.create(Map.of("bootstrap.servers", broker.bootstrapServers()));
        byte[] prompt = "{\"prompt\": \"Hi\"}".getBytes(StandardCharsets.UTF_8);
        new KafkaTopics(broker).send(List.of(new ProducerRecord<>("prompts", prompt)));

        JobClient job = submit(new Configuration(), false);
        List<String> open = awaitOpenTransactions();
        savepoint =
                job.triggerSavepoint(savepoints.toString(), SavepointFormatType.CANONICAL).get();
        job.cancel().get();
        await("the cancellation", () -> job.getJobStatus().get() == JobStatus.CANCELED);
        admin.fenceProducers(open).all().get();
    }

    @Test
    void endsWithAnErrorThatSaysWhatToDo() throws Exception {
        JobClient job = submit(fromSavepoint(), false);

        assertThatThrownBy(
                        () ->
                                job.getJobExecutionResult()
                                        .get(DEADLINE.toSeconds(), TimeUnit.SECONDS))
                .hasStackTraceContaining("The brokers refuse to commit transaction flink-layerskip")
                .hasStackTraceContaining("completions-0")
                .hasStackTraceContaining("kafka.sink.accept-lost-transactions: true");
        assertThat(job.getJobStatus().get()).isEqualTo(JobStatus.FAILED);
    }

    @Test
    void runsAndCountsWhatIsLostWhereThatIsAccepted() throws Exception {
        JobClient job = submit(fromSavepoint(), true);
        try {
            await("a lost transaction", () -> lostTransactions(job) == 1);
            await("it to run", () -> job.getJobStatus().get() == JobStatus.RUNNING);
        } finally {
            job.cancel().get();
        }
    }

    private Configuration fromSavepoint() {
        return new Configuration().set(StateRecoveryOptions.SAVEPOINT_PATH, savepoint);
    }

    /** Submits a job that takes no checkpoint by itself while a test runs. */
    private JobClient submit(Configuration configuration, boolean acceptsLoss) throws Exception {
        configuration.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, Duration.ofMinutes(10));
        configuration.set(CheckpointingOptions.CHECKPOINTING_TIMEOUT, Duration.ofMinutes(1));
        configuration.set(RestartStrategyOptions.RESTART_STRATEGY, "fixed-delay");
        configuration.set(
                RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_ATTEMPTS, Integer.MAX_VALUE);
        configuration.set(
                RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_DELAY, Duration.ofMillis(100));
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.getExecutionEnvironment(configuration);
        env.setParallelism(1);
        Map<String, String> options = new HashMap<>();
        options.put("kafka.bootstrap.servers", broker.bootstrapServers());
        options.put("kafka.source.topics", "prompts");
        options.put("kafka.sink.topic", "completions");
        options.put("kafka.dead-letters.topic", "dead-letters");
        options.put("kafka.sink.accept-lost-transactions", Boolean.toString(acceptsLoss));
        GenerationJob.build(env, Configuration.fromMap(options), JobType.GENERATE);
        return env.executeAsync();
    }

    private List<String> awaitOpenTransactions() throws Exception {
        await("an open transaction", () -> !openTransactions().isEmpty());
        return openTransactions();
    }

    private List<String> openTransactions() throws Exception {
        return admin
                .listTransactions(
                        new ListTransactionsOptions()
                                .filterStates(List.of(TransactionState.ONGOING)))
                .all()
                .get()
                .stream()
                .map(TransactionListing::transactionalId)
                .toList();
    }

    private static long lostTransactions(JobClient job) {
        return METRICS.findMetrics(job.getJobID(), ".*lostTransactions").values().stream()
                .mapToLong(metric -> ((Counter) metric).getCount())
                .sum();
    }

    @FunctionalInterface
    private interface Condition {
        boolean isMet() throws Exception;
    }

    private static void await(String what, Condition condition) throws Exception {
        long deadline = System.nanoTime() + DEADLINE.toNanos();
        while (!condition.isMet()) {
            assertThat(System.nanoTime()).as("end of a minute, for %s", what).isLessThan(deadline);
            Thread.sleep(100);
        }
    }
}
