package io.layerskip.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

/** The command line with the bundled model; what needs a broker is tested in module tests. */
final class MainTest {

    private static final String PROMPT =
            "banking: My new card still has not turned up, it has been nine days\n";
    private static final String COMPLETION = "{\"intent\":\"card_arrival\"}";

    @TempDir Path temp;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    @Test
    void completesAPromptWithTheBundledModel() {
        assertThat(run("generate", "--prompt", PROMPT)).isZero();

        assertThat(out()).isEqualToIgnoringNewLines(COMPLETION);
        assertThat(err()).contains("19 prompt tokens, 8 written;");
    }

    @Test
    void endsACompletionBeforeAStopText() {
        assertThat(run("generate", "--prompt", PROMPT, "--stop", "_arrival")).isZero();

        assertThat(out()).isEqualToIgnoringNewLines("{\"intent\":\"card");
    }

    @Test
    void showsTheSeedThatItDrew() {
        assertThat(run("generate", "--prompt", PROMPT, "--temperature", "1")).isZero();

        assertThat(err()).containsPattern("; seed -?[0-9]+");
    }

    @Test
    void tellsWhyAPromptHasNoCompletion() {
        assertThat(run("generate", "--prompt", "word ".repeat(1_000))).isEqualTo(1);

        assertThat(err()).contains("511");
    }

    @Test
    void completesAFileInItsOrder() throws IOException {
        Path requests = temp.resolve("requests.jsonl");
        List<String> ids = new ArrayList<>();
        List<String> lines = new ArrayList<>();
        for (GoldenPrompt golden : GoldenPrompt.all()) {
            String id = "id-" + ids.size();
            ids.add(id);
            lines.add(
                    new JsonMapper()
                            .createObjectNode()
                            .put("id", id)
                            .put("prompt", golden.prompt())
                            .toString());
        }
        Files.write(requests, lines);
        Path completions = temp.resolve("completions.jsonl");

        int exitCode =
                run("generate", "--input", requests.toString(), "--output", completions.toString());

        assertThat(exitCode).isZero();
        assertThat(objects(Files.readString(completions)))
                .extracting(object -> object.path("id").asText())
                .isEqualTo(ids);
        assertThat(objects(Files.readString(completions)))
                .extracting(object -> object.at("/choices/0/text").asText())
                .isEqualTo(GoldenPrompt.all().stream().map(GoldenPrompt::completion).toList());
    }

    @Test
    void answersChatsWithTheModelsChatTemplate() throws IOException {
        Path model = Files.createDirectory(temp.resolve("model"));
        Path bundled = Path.of("src", "main", "resources", "models", "layerskip-intents-9M");
        try (Stream<Path> files = Files.list(bundled)) {
            for (Path file : files.toList()) {
                Files.copy(file, model.resolve(file.getFileName().toString()));
            }
        }
        Files.writeString(
                model.resolve("chat_template.jinja"),
                "{{ bos_token }}banking: {{ messages[-1].content }}\n\n");
        Path requests =
                file(
                        "{\"messages\": [{\"role\": \"user\", \"content\": \"%s\"}]}\n"
                                .formatted(PROMPT.strip().substring("banking: ".length())));

        int exitCode = run("generate", "--input", requests.toString(), "--model", model.toString());

        assertThat(exitCode).isZero();
        JsonNode answer = objects(out()).get(0);
        assertThat(answer.path("object").asText()).isEqualTo("chat.completion");
        assertThat(answer.at("/choices/0/message/content").asText()).isEqualTo(COMPLETION);
    }

    @Test
    void putsAnErrorInThePlaceOfAChatWithoutAChatTemplate() throws IOException {
        Path requests = file("{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}]}\n");

        assertThat(run("generate", "--input", requests.toString())).isEqualTo(1);

        JsonNode answer = objects(out()).get(0);
        assertThat(answer.at("/error/class").asText()).isEqualTo("INVALID_REQUEST");
        assertThat(answer.at("/error/message").asText())
                .startsWith("the checkpoint has no chat template");
    }

    @Test
    void putsAnErrorInThePlaceOfALineThatIsNoRequestAndGoesOn() throws IOException {
        String request = "{\"id\": \"a\", \"prompt\": \"banking: Where is my card?\\n\"}";
        Path requests = file("{\"prompt\": 3}\n\n" + request + "\nno JSON\n");

        assertThat(run("generate", "--input", requests.toString())).isEqualTo(1);

        List<JsonNode> answers = objects(out());
        assertThat(answers).hasSize(3);
        assertThat(answers.get(0).path("line").asInt()).isEqualTo(1);
        assertThat(answers.get(0).at("/error/class").asText()).isEqualTo("INVALID_REQUEST");
        assertThat(answers.get(0).at("/error/message").asText()).startsWith("prompt is 3;");
        assertThat(answers.get(1).path("id").asText()).isEqualTo("a");
        assertThat(answers.get(2).path("line").asInt()).isEqualTo(4);
        assertThat(answers.get(2).at("/error/class").asText()).isEqualTo("INVALID_JSON");
        assertThat(err()).contains("1 completions, 2 errors");
    }

    @Test
    void putsAnErrorInThePlaceOfARequestThatTheModelCannotServe() throws IOException {
        Path requests = file("{\"id\": \"long\", \"prompt\": \"" + "word ".repeat(1_000) + "\"}\n");

        assertThat(run("generate", "--input", requests.toString())).isEqualTo(1);

        JsonNode answer = objects(out()).get(0);
        assertThat(answer.path("id").asText()).isEqualTo("long");
        assertThat(answer.at("/error/class").asText()).isEqualTo("PROMPT_TOO_LONG");
    }

    @Test
    void refusesToWriteOverItsInput() throws IOException {
        Path requests = file("{\"prompt\": \"Hi\"}\n");
        String again = temp.resolve(".").resolve("requests.jsonl").toString();

        assertThat(run("generate", "--input", requests.toString(), "--output", again)).isEqualTo(2);

        assertThat(err()).contains("--output is " + again + "; allowed: another file");
        assertThat(requests).hasContent("{\"prompt\": \"Hi\"}");
    }

    @Test
    void addsTokenIdsWhenAsked() throws IOException {
        Path requests = file("{\"prompt\": \"" + PROMPT.strip() + "\\n\"}\n");

        assertThat(run("generate", "--input", requests.toString(), "--token-ids")).isZero();

        assertThat(objects(out()).get(0).at("/choices/0/token_ids"))
                .extracting(JsonNode::asInt)
                .containsExactly(262, 270, 261, 426, 65, 1891, 275, 1);
    }

    @Test
    void writesChoicesLogProbabilitiesAndConfidencesWhereARequestAsksForThem() throws IOException {
        Path requests =
                file(
                        "{\"prompt\": \""
                                + PROMPT.strip()
                                + "\\n\", \"n\": 2, \"temperature\": 1.5, \"seed\": 3,"
                                + " \"presence_penalty\": 0.5, \"logprobs\": 2,"
                                + " \"return_confidence\": true}\n");

        assertThat(run("generate", "--input", requests.toString(), "--token-ids")).isZero();

        JsonNode completion = objects(out()).get(0);
        int tokens = 0;
        for (int index = 0; index < 2; index++) {
            JsonNode choice = completion.path("choices").path(index);
            int count = choice.path("token_ids").size();
            tokens += count;
            assertThat(choice.path("index").asInt()).isEqualTo(index);
            assertThat(choice.at("/logprobs/tokens")).hasSize(count);
            assertThat(choice.at("/logprobs/token_logprobs")).hasSize(count);
            assertThat(choice.at("/logprobs/top_logprobs/0").size()).isBetween(2, 3);
            assertThat(choice.at("/confidence/mean_probability").asDouble())
                    .isBetween(choice.at("/confidence/least_probability").asDouble(), 1.0);
        }
        assertThat(completion.path("choices")).hasSize(2);
        assertThat(completion.at("/usage/completion_tokens").asInt()).isEqualTo(tokens);
    }

    @Test
    void refusesASettingThatIsNotAllowedInOneLine() {
        assertThat(run("generate", "--prompt", PROMPT, "--top-p", "7")).isEqualTo(2);

        assertThat(err())
                .isEqualToIgnoringNewLines(
                        "option layerskip.top-p is 7; allowed: above 0 and at most 1");
    }

    @Test
    void refusesAnExitLayerThatTheModelDoesNotHave() {
        assertThat(run("generate", "--prompt", PROMPT, "--assistant-early-exit", "12"))
                .isEqualTo(2);

        assertThat(err()).contains("allowed: from 1 to 11;");
    }

    @Test
    void namesAModelThatIsMissing() {
        Path missing = temp.resolve("nowhere");

        assertThat(run("generate", "--prompt", PROMPT, "--model", missing.toString())).isEqualTo(1);

        assertThat(err())
                .isEqualToIgnoringNewLines(
                        missing.resolve("config.json") + " is missing or not readable");
    }

    @Test
    void wantsEitherAPromptOrAFile() {
        assertThat(run("generate", "--prompt", PROMPT, "--input", "x")).isEqualTo(2);
        assertThat(run("generate")).isEqualTo(2);
    }

    @Test
    void refusesAJobWithoutABrokerBeforeItStarts() {
        assertThat(run("run", "--input-topic", "prompts")).isEqualTo(2);

        assertThat(err()).contains("option kafka.bootstrap.servers is missing");
    }

    @Test
    void measuresAndReports() throws IOException {
        Path html = temp.resolve("bench.html");
        Path json = temp.resolve("bench.json");

        int exitCode =
                run(
                        "bench",
                        "--only",
                        "one-stream,prefix",
                        "--prompts",
                        "3",
                        "--rounds",
                        "2",
                        "--num-assistant-tokens",
                        "4",
                        "--html",
                        html.toString(),
                        "--json",
                        json.toString());

        assertThat(exitCode).isZero();
        JsonNode report = new JsonMapper().readTree(Files.readString(json));
        String processor = report.at("/environment/processor").asText();
        assertThat(processor).isNotBlank();
        assertThat(report.path("environment").has("vector instructions")).isTrue();
        JsonNode sections = report.path("sections");
        assertThat(sections)
                .extracting(section -> section.path("name").asText())
                .containsExactly("one-stream", "prefix");
        JsonNode rows = sections.at("/0/table/rows");
        assertThat(rows)
                .extracting(row -> row.path(0).asText())
                .containsExactly("plain", "4 drafts", "auto");
        assertThat(rows)
                .extracting(row -> row.path(7).asText())
                .containsExactly("3 of 3", "3 of 3", "3 of 3");
        JsonNode speedup = rows.at("/1/3");
        assertThat(speedup.path("median").asDouble())
                .isBetween(speedup.path("least").asDouble(), speedup.path("most").asDouble());
        assertThat(out())
                .contains("- processor: " + processor, "- vector instructions: ")
                .contains("| plain | ")
                .contains("| off | ");
        // Whole, and in need of nothing from elsewhere.
        assertThat(Files.readString(html))
                .contains("\"one-stream\"", "echarts.init", "</html>")
                .doesNotContain("/*report*/", "/*charts*/", "<script src", "<link");
    }

    @Test
    void measuresSelfSpeculationOfACheckpointThatIsGiven() throws IOException {
        Path json = temp.resolve("bench.json");

        int exitCode =
                run(
                        "bench",
                        "--only",
                        "large-model",
                        "--model",
                        Path.of("src", "main", "resources", "models", "layerskip-intents-9M")
                                .toString(),
                        "--precision",
                        "INT8",
                        "--rounds",
                        "1",
                        "--html",
                        temp.resolve("bench.html").toString(),
                        "--json",
                        json.toString());

        assertThat(exitCode).as(this::err).isZero();
        JsonNode rows =
                new JsonMapper().readTree(Files.readString(json)).at("/sections/0/table/rows");
        assertThat(rows).extracting(row -> row.path(0).asText()).hasSize(12).containsOnly("INT8");
        assertThat(rows)
                .filteredOn(row -> row.path(3).asText().equals("3 drafts"))
                .extracting(row -> row.path(4).asDouble())
                .allMatch(accepted -> accepted > 0 && accepted <= 100);
    }

    @Test
    void measuresThePassesOfACheckpointThatIsGiven() throws IOException {
        int exitCode =
                run(
                        "bench",
                        "--only",
                        "passes",
                        "--model",
                        Path.of("src", "main", "resources", "models", "layerskip-intents-9M")
                                .toString(),
                        "--assistant-early-exit",
                        "2;4",
                        "--precision",
                        "INT8",
                        "--threads",
                        "1",
                        "--rounds",
                        "2",
                        "--html",
                        temp.resolve("bench.html").toString());

        assertThat(exitCode).as(this::err).isZero();
        assertThat(out())
                .contains(
                        "| INT8 | 1 | layers [0, 2) | ",
                        "| INT8 | 1 | layers [2, 4) | ",
                        "| INT8 | 1 | layers [4, 12) | ",
                        "| INT8 | 1 | head | ");
    }

    @Test
    void refusesAShareOfWhatTheLaterLayersAddThatIsNone() {
        assertThat(run("bench", "--only", "large-model", "--later", "0.1,2")).isEqualTo(2);

        assertThat(err()).contains("--later is [0.1, 2.0]; allowed: each from 0 to 1");
    }

    @Test
    void measuresPromptsOfSpecialTokensIfThoseAreNotSplit() throws IOException {
        // Split into text, they are more tokens than the model takes.
        Path prompts = file("{\"prompt\": \"" + "</s>".repeat(200) + "\"}\n");

        int exitCode =
                run(
                        "bench",
                        "--only",
                        "one-stream",
                        "--rounds",
                        "1",
                        "--input",
                        prompts.toString(),
                        "--html",
                        temp.resolve("bench.html").toString(),
                        "-Dlayerskip.split-special-tokens=false");

        assertThat(exitCode).as(this::err).isZero();
    }

    @Test
    void refusesAnExperimentThatItDoesNotKnow() {
        assertThat(run("bench", "--only", "one-stream,speed")).isEqualTo(2);

        assertThat(err()).contains("--only is one-stream,speed; allowed: one-stream,concurrency,");
    }

    @Test
    void endsWithoutAWordWhenItIsInterrupted() throws Exception {
        CommandLine command = Main.commandLine(new PrintStream(out), new PrintStream(err));

        int exitCode =
                command.getExecutionExceptionHandler()
                        .handleExecutionException(
                                new InterruptedException(), command, command.parseArgs("demo"));

        assertThat(exitCode).isEqualTo(1);
        assertThat(err()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"demo", "generate", "run", "sql", "bench"})
    void helpsWithEveryCommand(String command) {
        assertThat(run(command, "--help")).isZero();

        assertThat(out()).startsWith("Usage: flink-layerskip " + command);
    }

    private int run(String... args) {
        return Main.commandLine(new PrintStream(out), new PrintStream(err)).execute(args);
    }

    private String out() {
        return out.toString(StandardCharsets.UTF_8);
    }

    private String err() {
        return err.toString(StandardCharsets.UTF_8);
    }

    private Path file(String content) throws IOException {
        return Files.writeString(temp.resolve("requests.jsonl"), content);
    }

    private static List<JsonNode> objects(String lines) throws IOException {
        return new JsonMapper().readerFor(JsonNode.class).<JsonNode>readValues(lines).readAll();
    }
}
