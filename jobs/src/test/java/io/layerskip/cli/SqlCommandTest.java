package io.layerskip.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Scripts of Flink SQL in this process, with the bundled model. */
@Timeout(180)
final class SqlCommandTest {

    private static final String MODEL =
            """
            CREATE MODEL intents INPUT (prompt STRING) OUTPUT (completion STRING, error STRING)
              WITH ('provider' = 'layerskip', 'max-tokens' = '64');
            """;

    @TempDir Path temp;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    @Test
    void printsWhatASelectFinds() throws IOException {
        Files.writeString(
                temp.resolve("messages.json"),
                """
                {"id": 1, "message": "I lost my card"}
                {"id": 2, "message": "Where is my card?"}
                """);

        int exitCode =
                sql(
                        """
                        -- Comments; and 'texts' in them.
                        SET 'parallelism.default' = '1';
                        CREATE TABLE messages (id INT, message STRING)
                          WITH ('connector' = 'filesystem', 'path' = '%s', 'format' = 'json');
                        /* Another; one. */
                        %s
                        SELECT id, completion FROM ML_PREDICT(
                          INPUT => (SELECT id, CONCAT('banking: ', message, CHR(10)) AS prompt FROM messages),
                          MODEL => MODEL intents,
                          ARGS => DESCRIPTOR(prompt));
                        """
                                .formatted(temp.resolve("messages.json"), MODEL));

        assertThat(exitCode).as(this::err).isZero();
        assertThat(out())
                .contains("lost_or_stolen_card", "card_arrival", "2 rows in set")
                .contains("Flink SQL> CREATE TABLE messages");
        assertThat(err()).isEmpty();
    }

    @Test
    void theReadmesScriptWorksAsItStandsThere() throws IOException {
        String readme = Files.readString(Path.of("..", "README.md"));
        Path messages =
                Files.writeString(
                        temp.resolve("messages.json"),
                        between(readme, "cat > messages.json <<'JSON'\n", "JSON\n"));

        int exitCode =
                sql(
                        between(readme, "cat > intents.sql <<'SQL'\n", "SQL\n")
                                .replace("messages.json", messages.toString()));

        assertThat(exitCode).as(this::err).isZero();
        assertThat(out())
                .contains(
                        "{\"intent\":\"lost_or_stolen_card\"}",
                        "{\"intent\":\"card_arrival\"}",
                        "{\"intent\":\"card_swallowed\"}",
                        "3 rows in set");
    }

    private static String between(String text, String begin, String end) {
        assertThat(text).contains(begin);
        String rest = text.substring(text.indexOf(begin) + begin.length());
        return rest.substring(0, rest.indexOf(end));
    }

    @Test
    void waitsForAnInsertBeforeTheNextStatement() throws IOException {
        int exitCode =
                sql(
                        """
                        CREATE TABLE completions (completion STRING)
                          WITH ('connector' = 'filesystem', 'path' = '%s', 'format' = 'json');
                        %s
                        INSERT INTO completions SELECT completion FROM ML_PREDICT(
                          (SELECT CONCAT('banking: I lost my card; where?', CHR(10)) AS prompt),
                          MODEL intents, DESCRIPTOR(prompt));
                        SELECT COUNT(*) AS written FROM completions"""
                                .formatted(temp.resolve("completions"), MODEL));

        assertThat(exitCode).as(this::err).isZero();
        assertThat(out()).contains("written").containsPattern("\\| *1 \\|");
        try (Stream<Path> files = Files.list(temp.resolve("completions"))) {
            List<Path> written = files.filter(Files::isRegularFile).toList();
            assertThat(written).hasSize(1);
            assertThat(written.get(0)).content().contains("{\"completion\":\"{\\\"intent\\\"");
        }
    }

    @Test
    void namesAScriptThatIsMissing() {
        Path missing = temp.resolve("none.sql");

        assertThat(run("sql", "-f", missing.toString())).isEqualTo(1);

        assertThat(err()).contains("cannot read the script " + missing).doesNotContain("\tat ");
    }

    @Test
    void wantsAScript() {
        assertThat(run("sql")).isEqualTo(2);

        assertThat(err()).contains("--file");
    }

    @Test
    void givesTheLineOfASyntaxError() throws IOException {
        assertThat(sql("SELECT 1;\n\nSELECT 2\n  FORM x;\nSELECT 3;\n")).isEqualTo(1);

        assertThat(err()).contains("at line 4").doesNotContain("\tat ");
        assertThat(out()).doesNotContain("SELECT 3");
    }

    @Test
    void givesTheLineOfAStatementThatCannotBePlanned() throws IOException {
        assertThat(sql("SELECT 1;\n\n" + "SELECT nothing\nFROM nowhere;\n")).isEqualTo(1);

        assertThat(err())
                .contains("the statement in line 3: ", "Object 'nowhere' not found")
                .doesNotContain("\tat ");
    }

    @Test
    void saysWhichOptionOfAModelIsWrong() throws IOException {
        int exitCode =
                sql(
                        MODEL.replace("'64'", "'0'")
                                + "SELECT * FROM ML_PREDICT((SELECT 'a' AS prompt), MODEL intents,"
                                + " DESCRIPTOR(prompt));\n");

        assertThat(exitCode).isEqualTo(1);
        assertThat(err())
                .contains(
                        "the statement in line 3: ",
                        "option max-tokens is 0; allowed: a whole number, at least 1");
    }

    @Test
    void saysWhyAJobFailed() throws IOException {
        int exitCode =
                sql(
                        MODEL.replace(", error STRING", "")
                                + "SELECT * FROM ML_PREDICT((SELECT REPEAT('word ', 1000) AS"
                                + " prompt), MODEL intents, DESCRIPTOR(prompt));\n");

        assertThat(exitCode).isEqualTo(1);
        assertThat(err()).contains("A prompt has no completion: PROMPT_TOO_LONG: ");
    }

    private int sql(String script) throws IOException {
        return run("sql", "-f", Files.writeString(temp.resolve("script.sql"), script).toString());
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
}
