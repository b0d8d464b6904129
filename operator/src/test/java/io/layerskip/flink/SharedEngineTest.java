package io.layerskip.flink;

import static org.assertj.core.api.Assertions.assertThat;

import io.layerskip.engine.EngineFailedException;
import io.layerskip.engine.GenerationFailure;
import io.layerskip.engine.GenerationParameters;
import io.layerskip.engine.GenerationRequest;
import io.layerskip.engine.GenerationResult;
import io.layerskip.model.BundledModel;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.metrics.groups.UnregisteredMetricsGroup;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
final class SharedEngineTest {

    private static final Duration LONG = Duration.ofMinutes(1);
    private static final String PROMPT = "banking: I lost my card\n";
    private static final String COMPLETION = "{\"intent\":\"lost_or_stolen_card\"}";

    /** Writes 500 tokens of nonsense. */
    private static final GenerationParameters ENDLESS =
            GenerationParameters.builder().maxTokens(500).temperature(100).ignoreEos(true).build();

    @Test
    void usersWhoAreConfiguredAlikeHaveOneModel() throws Exception {
        SharedEngine first = open(configuration());
        try (SharedEngine second = open(configuration().set(LayerSkipOptions.TEMPERATURE, 0.5))) {
            assertThat(second.checkpoint()).isSameAs(first.checkpoint());

            first.close();

            assertThat(generate(second, GenerationParameters.builder().temperature(0).build()))
                    .isEqualTo(COMPLETION);
        }
    }

    @Test
    void eachUserHasDefaultsOfItsOwn() throws Exception {
        try (SharedEngine first = open(configuration().set(LayerSkipOptions.MAX_TOKENS, 3));
                SharedEngine second = open(configuration())) {
            assertThat(COMPLETION)
                    .startsWith(generate(first, GenerationParameters.DEFAULTS))
                    .isEqualTo(generate(second, GenerationParameters.DEFAULTS));
        }
    }

    @Test
    void aRequestThatIsLateEndsAsAFailure() throws Exception {
        try (SharedEngine engine = open(configuration())) {
            List<CompletableFuture<GenerationResult>> results =
                    IntStream.range(0, 32)
                            .mapToObj(i -> new GenerationRequest("id-" + i, PROMPT, ENDLESS))
                            .map(r -> engine.generate(r, Duration.ofMillis(100), "the setting"))
                            .toList();

            assertThat(results)
                    .extracting(result -> result.join().failure())
                    .allSatisfy(
                            failure ->
                                    assertThat(failure)
                                            .contains(
                                                    new GenerationFailure(
                                                            GenerationFailure.Kind.TIMEOUT,
                                                            "not done within the setting of 100"
                                                                    + " ms")));
            // Those that are late make room at once.
            assertThat(generate(engine, GenerationParameters.DEFAULTS)).isEqualTo(COMPLETION);
        }
    }

    @Test
    void whatAUserHasUnderWayEndsWithItAndNobodyElseNotices() throws Exception {
        try (SharedEngine other = open(configuration())) {
            SharedEngine engine = open(configuration());
            CompletableFuture<GenerationResult> abandoned =
                    engine.generate(new GenerationRequest("a", PROMPT, ENDLESS), LONG, "none");

            engine.close();
            engine.close();

            assertThat(generate(other, GenerationParameters.DEFAULTS)).isEqualTo(COMPLETION);
            assertThat(abandoned).isNotDone();
        }
    }

    @Test
    void anEngineThatBrokeIsGivenToNobodyElse() throws Exception {
        try (SharedEngine broken = open(configuration())) {
            endEngines();

            assertThat(broken.generate(new GenerationRequest("a", PROMPT, ENDLESS), LONG, "none"))
                    .failsWithin(LONG)
                    .withThrowableThat()
                    .withCauseInstanceOf(EngineFailedException.class);

            try (SharedEngine next = open(configuration())) {
                assertThat(generate(next, GenerationParameters.DEFAULTS)).isEqualTo(COMPLETION);
            }
        }
    }

    @Test
    void aRequestThatHangsThreeEnginesIsGivenToNoFourth() throws Exception {
        Configuration impatient =
                configuration().set(LayerSkipOptions.PASS_TIMEOUT, Duration.ofMillis(1));
        GenerationRequest hanging =
                new GenerationRequest(
                        UUID.randomUUID().toString(),
                        "banking: " + "I lost my card ".repeat(60),
                        GenerationParameters.DEFAULTS);
        try {
            for (int i = 0; i < 3; i++) {
                try (SharedEngine engine = open(impatient)) {
                    assertThat(engine.generate(hanging, LONG, "none"))
                            .failsWithin(LONG)
                            .withThrowableThat()
                            .withCauseInstanceOf(EngineFailedException.class);
                }
            }

            try (SharedEngine engine = open(impatient)) {
                assertThat(engine.generate(hanging, LONG, "none").get().failure())
                        .hasValueSatisfying(
                                failure ->
                                        assertThat(failure.kind())
                                                .isEqualTo(GenerationFailure.Kind.POISON_REQUEST));
            }
        } finally {
            deleteNotes();
        }
    }

    /** Those of this process, which stand where others' do. */
    private static void deleteNotes() throws IOException {
        Path folder = NotesFolder.in(Path.of(System.getProperty("java.io.tmpdir")));
        String ours = ProcessHandle.current().pid() + "-*.notes";
        try (DirectoryStream<Path> notes = Files.newDirectoryStream(folder, ours)) {
            for (Path file : notes) {
                Files.delete(file);
            }
        }
    }

    /** Ends what runs in this process, as something that breaks would. */
    private static void endEngines() throws InterruptedException {
        List<Thread> engines =
                Thread.getAllStackTraces().keySet().stream()
                        .filter(thread -> thread.getName().equals("layerskip-engine"))
                        .toList();
        for (Thread engine : engines) {
            engine.interrupt();
            engine.join();
        }
    }

    private static String generate(SharedEngine engine, GenerationParameters parameters)
            throws Exception {
        return engine.generate(new GenerationRequest("x", PROMPT, parameters), LONG, "none")
                .get(LONG.toSeconds(), TimeUnit.SECONDS)
                .text();
    }

    private static SharedEngine open(Configuration options) throws IOException {
        return SharedEngine.open(
                LayerSkipConfiguration.from(options),
                SharedEngineTest.class.getClassLoader(),
                new UnregisteredMetricsGroup());
    }

    private static Configuration configuration() {
        return new Configuration()
                .set(LayerSkipOptions.MODEL_PATH, BundledModel.folder().toString());
    }
}
