package io.layerskip.connectors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RecordPathTest {

    @ParameterizedTest
    @ValueSource(strings = {"message", "a.b.c", "items[0]", "items[10][2].name", "größe", "a b"})
    void aPathIsWrittenAsItWasRead(String text) {
        assertThat(RecordPath.parse(text)).hasToString(text);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                ".",
                "a.",
                ".a",
                "a..b",
                "[0]",
                "a[",
                "a[]",
                "a[x]",
                "a[-1]",
                "a[01]",
                "a[9999999999]",
                "a[0]b",
                "a{b"
            })
    void whatIsNoPathIsRefused(String text) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> RecordPath.parse(text))
                .withMessageContaining("\"" + text + "\"");
    }

    @ParameterizedTest
    @CsvSource({"a, a, true", "a, a.b, true", "a.b, a, true", "a.b, a.c, false", "a, ab, false"})
    void pathsOverlapWhereOneLeadsOnFromTheOther(String one, String other, boolean overlap) {
        assertThat(RecordPath.parse(one).overlaps(RecordPath.parse(other))).isEqualTo(overlap);
    }

    @Test
    void onlyNamesIsAPathWithoutIndices() {
        assertThat(RecordPath.parse("a.b").hasOnlyNames()).isTrue();
        assertThat(RecordPath.parse("a[0]").hasOnlyNames()).isFalse();
    }
}
