package io.layerskip.jobs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.layerskip.jobs.OptionArguments.Shortcut;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

final class OptionArgumentsTest {

    private static final ConfigOption<Integer> COUNT =
            ConfigOptions.key("a.count").intType().defaultValue(7).withDescription("100 % of it.");

    @Command(name = "test")
    static final class TestCommand {
        @Mixin
        private OptionArguments options =
                new OptionArguments(List.of(new Shortcut("--count", COUNT)));
    }

    @TempDir Path temp;

    @Test
    void readsPropertiesFiles() throws IOException {
        assertThat(parse("--config", file("o.properties", "a.count=3\na.name = Zürich\n")))
                .isEqualTo(Map.of("a.count", "3", "a.name", "Zürich"));
    }

    @Test
    void flattensNestedYaml() throws IOException {
        String yaml =
                """
                a:
                  count: 3
                  list: [2, 3]
                  nothing:
                a.name: Zürich
                """;

        assertThat(parse("--config", file("o.yaml", yaml)))
                .isEqualTo(Map.of("a.count", "3", "a.list", "2;3", "a.name", "Zürich"));
    }

    @Test
    void separatesTheElementsOfKafkasListsByCommas() throws IOException {
        String yaml = "kafka.sink.metric.reporters: [a.B, c.D]";

        assertThat(parse("--config", file("o.yaml", yaml)))
                .isEqualTo(Map.of("kafka.sink.metric.reporters", "a.B,c.D"));
    }

    @Test
    void takesAnEmptyYamlFile() throws IOException {
        assertThat(parse("--config", file("o.yml", ""))).isEmpty();
    }

    @Test
    void letsASingleOptionOverruleTheFile() throws IOException {
        String file = file("o.properties", "a.count=3");

        assertThat(parse("-D", "a.count=4", "--config", file)).containsEntry("a.count", "4");
    }

    @Test
    void letsAShortcutOverruleASingleOption() {
        assertThat(parse("--count", "5", "-D", "a.count=4")).containsEntry("a.count", "5");
    }

    @Test
    void setsNothingThatWasNotGiven() {
        assertThat(parse()).isEmpty();
    }

    @Test
    void showsAShortcutsDescriptionAndDefaultInTheHelp() {
        assertThat(new CommandLine(new TestCommand()).getUsageMessage())
                .containsPattern("--count=VALUE\\s+100 % of it. Default: 7.");
    }

    @Test
    void tellsWhatIsAnArgumentFromWhatIsInTheFile() throws IOException {
        TestCommand command = new TestCommand();
        new CommandLine(command)
                .parseArgs(
                        "-D", "a.count=4", "--config", file("o.properties", "a.password=hunter2"));

        assertThat(command.options.namesInArguments()).containsExactly("a.count");
    }

    @Test
    void namesAFileThatIsMissing() {
        String missing = temp.resolve("none.yaml").toString();

        assertThatThrownBy(() -> parse("--config", missing))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageContaining(missing);
    }

    @Test
    void namesAFileThatIsNotWellFormed() throws IOException {
        String file = file("o.yaml", "a: [1");

        assertThatThrownBy(() -> parse("--config", file))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageContaining(file);
    }

    @Test
    void doesNotQuoteALineThatIsNotWellFormed() throws IOException {
        String file = file("o.yaml", "a.count: 3\na.password: 'hunter2\na.name: x\n");

        assertThatThrownBy(() -> parse("--config", file))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageContaining(file + ": no YAML at line ")
                .hasNoCause()
                .message()
                .doesNotContain("hunter2");
    }

    @Test
    void refusesAFileOfAnotherKind() throws IOException {
        String file = file("o.toml", "");

        assertThatThrownBy(() -> parse("--config", file))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessage(
                        "option --config is %s; allowed: a file .yaml, .yml or .properties", file);
    }

    private String file(String name, String content) throws IOException {
        return Files.writeString(temp.resolve(name), content).toString();
    }

    private static Map<String, String> parse(String... args) {
        TestCommand command = new TestCommand();
        new CommandLine(command).parseArgs(args);
        return command.options.toConfiguration().toMap();
    }
}
