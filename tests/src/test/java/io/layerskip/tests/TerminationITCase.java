package io.layerskip.tests;

import static org.assertj.core.api.Assertions.assertThat;

import io.layerskip.tests.cluster.Jvm;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Collections;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A process that is told to end while passes are being computed. */
class TerminationITCase {

    private static final Path JAR =
            Path.of("..", "jobs", "target", "flink-layerskip.jar").toAbsolutePath();

    private static final Duration PATIENCE = Duration.ofSeconds(90);

    /** 128 and the number of SIGTERM, as for any process that it ends. */
    private static final int TERMINATED = 143;

    @TempDir private Path folder;

    @Test
    void endsWithoutACrash() throws Exception {
        Path requests = folder.resolve("requests.jsonl");
        Path completions = folder.resolve("completions.jsonl");
        String request =
                "{\"prompt\": \"banking: Hm?\\n\", \"max_tokens\": 200, \"ignore_eos\": true}";
        Files.write(requests, Collections.nCopies(100_000, request));
        Process process =
                new ProcessBuilder(
                                Jvm.program("java"),
                                "-jar",
                                JAR.toString(),
                                "generate",
                                "--input=" + requests,
                                "--output=" + completions)
                        .directory(folder.toFile())
                        .redirectErrorStream(true)
                        .redirectOutput(folder.resolve("log").toFile())
                        .start();
        try {
            awaitContent(completions, process);

            process.destroy();

            assertThat(process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
            assertThat(process.exitValue())
                    .as(() -> "exit code, after " + log())
                    .isEqualTo(TERMINATED);
        } finally {
            process.destroyForcibly().waitFor();
        }
    }

    private void awaitContent(Path file, Process process) throws Exception {
        Instant deadline = Instant.now().plus(PATIENCE);
        while (!Files.exists(file) || Files.size(file) == 0) {
            assertThat(process.isAlive() && Instant.now().isBefore(deadline))
                    .as(() -> "waiting for a completion, after " + log())
                    .isTrue();
            TimeUnit.MILLISECONDS.sleep(50);
        }
    }

    private String log() {
        try {
            return Files.readString(folder.resolve("log"));
        } catch (IOException e) {
            return e.toString();
        }
    }
}
