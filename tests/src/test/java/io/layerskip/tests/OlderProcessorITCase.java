package io.layerskip.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.layerskip.tests.cluster.GoldenCase;
import io.layerskip.tests.cluster.Jvm;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is written with INT8 weights does not depend on what the processor has. */
class OlderProcessorITCase {

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Path JAR =
            Path.of("..", "jobs", "target", "flink-layerskip.jar").toAbsolutePath();
    private static final Path SOURCE = Path.of("src", "test", "c", "older-processor.c");
    private static final int MAX_TOKENS = 48;

    @TempDir private static Path folder;

    private static String olderProcessor;

    @BeforeAll
    static void compile() throws Exception {
        assumeThat(Files.isExecutable(Path.of("/usr/bin/cc"))).as("a C compiler").isTrue();
        olderProcessor = folder.resolve("older-processor").toString();
        run("/usr/bin/cc", "-O2", "-Wall", "-Werror", "-o", olderProcessor, SOURCE.toString());
        int exitCode = new ProcessBuilder(olderProcessor, "true").start().waitFor();
        assumeThat(exitCode).as("cpuid can be made to fault").isZero();
    }

    @Test
    void avx512IsHidden() throws Exception {
        assertThat(run(olderProcessor, Jvm.program("java"), "-XX:+PrintFlagsFinal", "-version"))
                .containsPattern("UseAVX += 2 ");
    }

    /**
     * Past the end of what it was trained for, the model wavers: half of the texts would differ.
     */
    @Test
    void int8WritesTheSameWithoutVnni() throws Exception {
        Path requests = Files.write(folder.resolve("requests.jsonl"), requests());
        List<String> here = tokens(requests);
        List<String> there = tokens(requests, olderProcessor);

        assertThat(here).hasSizeGreaterThan(100);
        assertThat(there).isEqualTo(here);
    }

    private static List<String> requests() throws IOException {
        List<String> requests = new ArrayList<>();
        for (GoldenCase golden : GoldenCase.all()) {
            ObjectNode request = JSON.createObjectNode();
            request.put("prompt", golden.prompt());
            request.put("ignore_eos", true).put("max_tokens", MAX_TOKENS);
            requests.add(request.toString());
        }
        return requests;
    }

    private static List<String> tokens(Path requests, String... wrapper) throws Exception {
        Path completions = Files.createTempFile(folder, "completions", ".jsonl");
        Stream<String> command =
                Stream.of(
                        Jvm.program("java"),
                        "-jar",
                        JAR.toString(),
                        "generate",
                        "--precision=INT8",
                        "--threads=1",
                        "--token-ids",
                        "--input=" + requests,
                        "--output=" + completions);
        run(Stream.concat(Stream.of(wrapper), command).toArray(String[]::new));
        List<String> tokens = new ArrayList<>();
        for (String line : Files.readAllLines(completions)) {
            JsonNode completion = JSON.readTree(line);
            tokens.add(completion.at("/choices/0/token_ids").toString());
        }
        return tokens;
    }

    private static String run(String... command) throws Exception {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(output).isZero();
        return output;
    }
}
