package io.layerskip.connectors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.layerskip.connectors.KafkaPosition.Kind;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class KafkaPositionTest {

    @ParameterizedTest
    @CsvSource({"COMMITTED, COMMITTED", "earliest, EARLIEST", " Latest , LATEST"})
    void aNamedPositionIsReadInAnyCase(String text, Kind kind) {
        assertThat(KafkaPosition.parse(text)).isEqualTo(new KafkaPosition(kind, 0));
    }

    @ParameterizedTest
    @CsvSource({
        "0, 0",
        "1764064800000, 1764064800000",
        "2025-11-25T10:00:00Z, 1764064800000",
        "2025-11-25T11:00:00.5+01:00, 1764064800500"
    })
    void aTimeIsReadInBothNotations(String text, long timestamp) {
        assertThat(KafkaPosition.parse(text))
                .isEqualTo(new KafkaPosition(Kind.TIMESTAMP, timestamp));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "TIMESTAMP",
                "-1",
                "1.5",
                "2025-11-25",
                "2025-11-25T10:00:00",
                "1969-12-31T23:59:59Z",
                "99999999999999999999"
            })
    void anythingElseIsRefused(String text) {
        assertThatIllegalArgumentException().isThrownBy(() -> KafkaPosition.parse(text));
    }
}
