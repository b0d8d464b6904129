package io.layerskip.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

final class LineReaderTest {

    @Test
    void splitsAtLineFeeds() throws IOException {
        assertThat(lines("one\ntwo\n")).containsExactly("one", "two");
    }

    @Test
    void takesALastLineWithoutALineFeed() throws IOException {
        assertThat(lines("one\ntwo")).containsExactly("one", "two");
    }

    @Test
    void keepsEmptyLines() throws IOException {
        assertThat(lines("\n\none")).containsExactly("", "", "one");
    }

    @Test
    void cutsALineThatIsTooLongAndGoesOnAfterIt() throws IOException {
        assertThat(lines("0123456789\ntwo\n")).containsExactly("01234", "two");
    }

    @Test
    void readsNothingFromNothing() throws IOException {
        assertThat(lines("")).isEmpty();
    }

    private static List<String> lines(String text) throws IOException {
        LineReader reader =
                new LineReader(new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8)), 5);
        List<String> lines = new ArrayList<>();
        Optional<byte[]> line = reader.next();
        while (line.isPresent()) {
            lines.add(new String(line.get(), StandardCharsets.UTF_8));
            line = reader.next();
        }
        return lines;
    }
}
