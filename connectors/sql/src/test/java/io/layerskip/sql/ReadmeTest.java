package io.layerskip.sql;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Collectors;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.description.HtmlFormatter;
import org.junit.jupiter.api.Test;

/**
 * Holds the README to the options. {@code ./mvnw test -pl connectors/sql -am -Dtest=ReadmeTest
 * -Dsurefire.failIfNoSpecifiedTests=false -Dlayerskip.update-readme=true} writes its table again.
 */
final class ReadmeTest {

    private static final Path README = Path.of("README.md");
    private static final String BEGIN = "<!-- options -->\n";
    private static final String END = "<!-- /options -->";

    @Test
    void theReadmeShowsTheProvidersOwnOptionsAsTheyAre() throws IOException {
        String readme = Files.readString(README);
        int begin = readme.indexOf(BEGIN) + BEGIN.length();
        int end = readme.indexOf(END);

        if (Boolean.getBoolean("layerskip.update-readme")) {
            Files.writeString(README, readme.substring(0, begin) + table() + readme.substring(end));
        } else {
            assertThat(readme.substring(begin, end)).isEqualTo(table());
        }
    }

    @Test
    void theReadmeNamesEverySharedOption() throws IOException {
        assertThat(Files.readString(README))
                .contains(
                        LayerSkipModelOptions.shared().keySet().stream()
                                .map(name -> "`" + name + "`")
                                .toList());
    }

    private static String table() {
        return LayerSkipModelOptions.OWN.stream()
                .map(ReadmeTest::row)
                .collect(
                        Collectors.joining(
                                "", "| option | default | what it does |\n|---|---|---|\n", ""));
    }

    private static String row(ConfigOption<?> option) {
        return "| `%s` | %s | %s |\n"
                .formatted(
                        option.key(),
                        option.hasDefaultValue() ? "`" + option.defaultValue() + "`" : "",
                        new HtmlFormatter().format(option.description()));
    }
}
