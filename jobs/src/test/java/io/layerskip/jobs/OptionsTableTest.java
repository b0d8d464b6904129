package io.layerskip.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/**
 * Holds the README's table of options to the code. {@code ./mvnw test -pl jobs -am
 * -Dtest=OptionsTableTest -Dsurefire.failIfNoSpecifiedTests=false -Dlayerskip.update-readme=true}
 * writes it again.
 */
final class OptionsTableTest {

    private static final Path README = Path.of("README.md");
    private static final String BEGIN = "<!-- options -->\n";
    private static final String END = "<!-- /options -->";

    @Test
    void theReadmeShowsTheOptionsAsTheyAre() throws IOException {
        String readme = Files.readString(README);
        int begin = readme.indexOf(BEGIN);
        int end = readme.indexOf(END);
        assertThat(begin).as("%s in %s", BEGIN.strip(), README).isNotNegative();
        assertThat(end).as("%s after it", END).isGreaterThan(begin);
        String table = readme.substring(begin + BEGIN.length(), end);

        if (Boolean.getBoolean("layerskip.update-readme")) {
            Files.writeString(
                    README,
                    readme.substring(0, begin + BEGIN.length())
                            + OptionsTable.markdown()
                            + readme.substring(end));
        } else {
            assertThat(table)
                    .as("the README's options; the comment of this test says how to write them")
                    .isEqualTo(OptionsTable.markdown());
        }
    }
}
