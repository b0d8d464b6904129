package io.layerskip.tests.cluster;

import static io.layerskip.tests.cluster.SecuredBroker.ALL_SECRETS;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * The published job on a cluster of its own, whose web UI shows the job's arguments, against a
 * broker that wants TLS and a password. Logs stay in target/application.
 */
class ApplicationModeITCase {

    private static final int REQUESTS = 20;

    private static Path folder;
    @AutoClose private static SecuredBroker broker;

    @BeforeAll
    static void startBroker() throws Exception {
        folder = TestBed.folder("application");
        broker = SecuredBroker.start(folder);
        broker.broker().createTopics(1, Traffic.PROMPTS, Traffic.COMPLETIONS, Traffic.DEAD_LETTERS);
    }

    @Test
    void secretsAreReadFromFilesAndNeverShown() throws Exception {
        Path settings = broker.settingsWithSecretsInFiles("files");
        try (Traffic traffic =
                        new Traffic(broker.broker().bootstrapServers(), Traffic.goldenPrompts());
                ApplicationCluster application = start("files", "--config=" + settings)) {
            traffic.send(REQUESTS);

            assertThat(traffic.awaitAll(Duration.ofMinutes(2))).as("answered").isTrue();
            assertThat(application.shown())
                    .contains("Starting StandaloneApplicationClusterEntryPoint")
                    .contains("--config=" + settings)
                    .contains("Starting TaskManager")
                    .doesNotContain(ALL_SECRETS);
        }
    }

    @Test
    void aSecretAmongTheArgumentsIsRefused() throws Exception {
        Path settings = broker.settings("arguments", SecuredBroker.PASSWORD);
        String option = "kafka.sink.sasl.jaas.config";
        String secret = option + "=" + SecuredBroker.jaas(SecuredBroker.PASSWORD);
        try (ApplicationCluster application =
                start("arguments", "--config=" + settings, "-D", secret)) {

            assertThat(application.jobManager().exitCode()).isNotZero();
            assertThat(application.jobManager().output())
                    .contains("option " + option + " is an argument of the program")
                    .contains("or " + option + ".file with the path of a file that holds it");
        }
    }

    private static ApplicationCluster start(String name, String... more) throws Exception {
        List<String> arguments =
                new ArrayList<>(
                        List.of(
                                "--input-topic=" + Traffic.PROMPTS,
                                "--output-topic=" + Traffic.COMPLETIONS,
                                "--dead-letter-topic=" + Traffic.DEAD_LETTERS));
        arguments.addAll(List.of(more));
        return ApplicationCluster.start(folder.resolve(name), RunningJob.JAR, arguments);
    }
}
