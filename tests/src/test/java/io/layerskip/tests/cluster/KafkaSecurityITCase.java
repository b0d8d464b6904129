package io.layerskip.tests.cluster;

import static io.layerskip.tests.cluster.SecuredBroker.ALL_SECRETS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Security settings pass through to Kafka's clients, and nobody gets to see them: the published job
 * against a broker that wants TLS and a password (SASL/SCRAM). Logs stay in target/security/logs.
 */
class KafkaSecurityITCase {

    private static final int REQUESTS = 20;

    private SecuredBroker broker;
    @AutoClose private TestBed bed;
    private FlinkCluster cluster;
    private Traffic traffic;

    @BeforeEach
    void start() throws Exception {
        Path folder = TestBed.folder("security");
        broker = SecuredBroker.start(folder);
        bed = TestBed.start(folder, broker.broker(), 1, Traffic.goldenPrompts());
        cluster = bed.cluster();
        traffic = bed.traffic();
    }

    @Test
    void secretsPassThroughAndAreNeverShown() throws Exception {
        Path right = broker.settings("right", SecuredBroker.PASSWORD);
        RunningJob job = RunningJob.submit(bed, 1, "--config=" + right);
        cluster.awaitRunning(job.id());
        traffic.send(REQUESTS);

        assertThat(traffic.awaitAll(Duration.ofMinutes(1))).as("answered").isTrue();
        assertThat(cluster.shown(job.id())).contains("layerskip").doesNotContain(ALL_SECRETS);

        Path wrong = broker.settings("wrong", SecuredBroker.WRONG_PASSWORD);
        assertThatThrownBy(() -> RunningJob.submit(bed, 1, "--config=" + wrong))
                .hasMessageContaining("option kafka.bootstrap.servers is ")
                .hasMessageContaining("invalid credentials")
                .message()
                .doesNotContain(ALL_SECRETS);

        String shown = "-Dkafka.sink.sasl.jaas.config=" + SecuredBroker.jaas("Secret-of-all-10");
        assertThatThrownBy(() -> RunningJob.submitInJobManager(bed, 1, shown))
                .hasMessageContaining("option kafka.sink.sasl.jaas.config is an argument of the")
                .message()
                .doesNotContain(ALL_SECRETS);
        assertThat(cluster.logged()).contains(job.id()).doesNotContain(ALL_SECRETS);
    }
}
