package io.layerskip.tests.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.layerskip.cli.Main;
import io.layerskip.flink.ConfiguredCheckpoint;
import io.layerskip.flink.LayerSkipConfiguration;
import io.layerskip.flink.LayerSkipOptions;
import io.layerskip.jobs.JobType;
import io.layerskip.local.LocalJob;
import io.layerskip.model.CheckpointException;
import io.layerskip.tests.BundledModel;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.ConfigConstants;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.CoreOptions;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.plugin.DefaultPluginManager;
import org.apache.flink.core.plugin.DirectoryBasedPluginFinder;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A model in an object store that speaks S3, fetched through Flink's file system for it, a plugin
 * with class loaders of its own. What is fetched goes through a link that counts it.
 */
class ModelAddressITCase {

    private static final Path PLUGINS = Path.of("target", "plugins").toAbsolutePath();
    private static final String PROMPT = "banking: I lost my card\n";
    private static final String COMPLETION = "{\"intent\":\"lost_or_stolen_card\"}";
    private static final Duration DEADLINE = Duration.ofMinutes(3);

    /** What may have to be fetched twice, and what there is besides the files' content. */
    private static final long STEP = 9 << 20;

    private static final long OVERHEAD = 1 << 20;

    private static S3Server server;
    private static SlowLink link;
    private static long modelBytes;

    @TempDir private Path cache;

    @BeforeAll
    static void startServer() throws Exception {
        server = S3Server.start(TestBed.folder("s3"));
        server.createBucket("models");
        server.putFolder("models/intents", BundledModel.FOLDER);
        modelBytes = Files.size(BundledModel.FOLDER.resolve("model.safetensors"));
        link = SlowLink.to(server.port());
        useTheStore(S3Server.ACCESS_KEY);
    }

    @AfterAll
    static void stopServer() throws IOException {
        FileSystem.initialize(new Configuration(), null);
        link.close();
        server.close();
    }

    private static void useTheStore(String accessKey) throws IOException {
        Configuration settings = Configuration.fromMap(store(accessKey));
        FileSystem.initialize(
                settings,
                new DefaultPluginManager(
                        new DirectoryBasedPluginFinder(PLUGINS).findPlugins(),
                        CoreOptions.getPluginParentFirstLoaderPatterns(settings)));
    }

    private static Map<String, String> store(String accessKey) {
        return Map.of(
                "s3.endpoint",
                "http://127.0.0.1:" + link.port(),
                "s3.path.style.access",
                "true",
                "s3.access-key",
                accessKey,
                "s3.secret-key",
                S3Server.SECRET_KEY);
    }

    @AfterEach
    void letEverythingThrough() {
        link.limit(Long.MAX_VALUE);
    }

    @Test
    void theSlotsOfAJobFetchItOnce() throws Exception {
        long before = link.received();
        try (LocalJob job = LocalJob.start(options("s3://models/intents"), 2, JobType.GENERATE)) {
            for (int partition = 0; partition < 2; partition++) {
                job.send(new ProducerRecord<>(LocalJob.PROMPTS, partition, null, request()));
            }

            assertThat(read(job, 2))
                    .extracting(answer -> new String(answer.value(), StandardCharsets.UTF_8))
                    .allSatisfy(
                            answer ->
                                    assertThat(answer)
                                            .contains(COMPLETION.replace("\"", "\\\""))
                                            .contains("\"model\":\"intents\""));
        }
        assertThat(link.received() - before).isBetween(modelBytes, modelBytes + OVERHEAD);
    }

    @Test
    void cancellingTheJobEndsAFetchThatHangs() throws Exception {
        long before = link.received();
        LocalJob job = LocalJob.start(options("s3://models/intents"), 1, JobType.GENERATE);
        try {
            job.send(new ProducerRecord<>(LocalJob.PROMPTS, request()));
            link.limit(4 << 20);
            await(() -> link.received() - before > 2 << 20);
            link.limit(0);
        } finally {
            Instant cancelled = Instant.now();
            job.close();
            assertThat(Duration.between(cancelled, Instant.now()))
                    .isLessThan(Duration.ofSeconds(30));
        }
        assertThat(link.received() - before).isLessThan(modelBytes);
    }

    @Test
    void anotherProcessGoesOnWithTheFetchOfOneThatWasKilled() throws Exception {
        long before = link.received();
        link.limit(4 << 20);
        try (JvmProcess first = generate("first")) {
            await(() -> link.received() - before > 1 << 20);
            try (JvmProcess second = generate("second")) {
                await(() -> link.received() - before > 12 << 20);
                first.signal("KILL");
                link.limit(Long.MAX_VALUE);

                assertThat(second.exitCode()).as(second::output).isZero();
                assertThat(second.output()).contains(COMPLETION);
            }
        }
        assertThat(link.received() - before).isBetween(modelBytes, modelBytes + STEP + OVERHEAD);
    }

    @Test
    void theNextStartFetchesWhatHasChanged() throws Exception {
        server.putFolder("models/changing", BundledModel.FOLDER);
        Path first = open("s3://models/changing");
        long before = link.received();
        assertThat(open("s3://models/changing")).isEqualTo(first);
        assertThat(link.received() - before).isLessThan(OVERHEAD);

        server.putText(
                "models/changing/generation_config.json",
                "{\"eos_token_id\": 1, \"max_new_tokens\": 7}");

        assertThat(open("s3://models/changing")).isNotEqualTo(first);
        assertThat(first).exists();
    }

    @Test
    void aModelThatIsNotThereIsRefusedAtSubmission() {
        assertThatThrownBy(() -> submit(options("s3://models/none")))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessage(
                        "option layerskip.model.path is s3://models/none; allowed: the address of a"
                                + " checkpoint; config.json is missing from s3://models/none");
    }

    @Test
    void anExitLayerThatItDoesNotHaveIsRefusedAtSubmission() {
        Configuration wrong =
                options("s3://models/intents")
                        .set(LayerSkipOptions.ASSISTANT_EARLY_EXIT, List.of(12));

        assertThatThrownBy(() -> submit(wrong))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessage(
                        "option layerskip.assistant-early-exit is 12; allowed: from 1 to 11;"
                                + " s3://models/intents has 12 layers");
    }

    @Test
    void saysThatAccessIsDeniedWhereTheModelIsOpened() throws IOException {
        useTheStore("somebody-else");
        try {
            // Whoever submits a job may have no access where its TaskManagers do.
            submit(options("s3://models/intents"));

            assertThatThrownBy(() -> open("s3://models/intents"))
                    .isInstanceOf(CheckpointException.class)
                    .hasMessageStartingWith(
                            "s3://models/intents: config.json: access is denied to this process's"
                                    + " credentials: ")
                    .hasMessageContaining("Status Code: 403");
        } finally {
            useTheStore(S3Server.ACCESS_KEY);
        }
    }

    /** Checks what is checked when a job is submitted. */
    private void submit(Configuration options) {
        LayerSkipConfiguration.from(options).checkAgainstModel(getClass().getClassLoader());
    }

    private Path open(String address) throws IOException {
        try (ConfiguredCheckpoint opened =
                ConfiguredCheckpoint.open(
                        LayerSkipConfiguration.from(options(address)),
                        getClass().getClassLoader())) {
            return opened.checkpoint().folder();
        }
    }

    private Configuration options(String address) {
        return new Configuration()
                .set(LayerSkipOptions.MODEL_PATH, address)
                .set(LayerSkipOptions.CACHE_FOLDER, cache.toString())
                .set(CheckpointingOptions.CHECKPOINTING_INTERVAL, Duration.ofMillis(500));
    }

    /** The command line, as a user has it, in a JVM of its own. */
    private JvmProcess generate(String name) throws IOException {
        List<String> arguments =
                new ArrayList<>(
                        List.of(
                                "generate",
                                "--model=s3://models/intents",
                                "--prompt=" + PROMPT,
                                "-Dlayerskip.cache-folder=" + cache));
        store(S3Server.ACCESS_KEY).forEach((key, value) -> arguments.add("-D" + key + "=" + value));
        return JvmProcess.start(
                new JvmProcess.Program(
                        Jvm.testClassPath(), Jvm.flinkOptions(), Main.class.getName(), arguments),
                Map.of(ConfigConstants.ENV_FLINK_PLUGINS_DIR, PLUGINS.toString()),
                Path.of("target", "s3", name + ".log").toAbsolutePath());
    }

    private static byte[] request() {
        return "{\"prompt\": \"banking: I lost my card\\n\"}".getBytes(StandardCharsets.UTF_8);
    }

    private static List<ConsumerRecord<byte[], byte[]>> read(LocalJob job, int count)
            throws InterruptedException {
        List<ConsumerRecord<byte[], byte[]>> answers = new ArrayList<>();
        Instant deadline = Instant.now().plus(DEADLINE);
        while (answers.size() < count && Instant.now().isBefore(deadline)) {
            job.poll().forEach(answers::add);
        }
        assertThat(answers).hasSize(count);
        return answers;
    }

    private static void await(BooleanSupplier condition) throws InterruptedException {
        Instant deadline = Instant.now().plus(DEADLINE);
        while (!condition.getAsBoolean()) {
            assertThat(Instant.now()).as("still waiting").isBefore(deadline);
            Thread.sleep(20);
        }
    }
}
