package io.layerskip.forward;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

class TokenRowsTest {

    @Test
    void argmaxIsTheFirstOfTheGreatestElements() {
        assertThat(argmax(-3, -1, -2, -1)).hasValue(1);
        assertThat(argmax(5, -1, 5, 2)).hasValue(0);
        assertThat(argmax(Float.NEGATIVE_INFINITY, 1, 2, 3)).hasValue(3);
    }

    @Test
    void thereIsNoArgmaxIfTheGreatestElementIsInfinite() {
        assertThat(argmax(1, Float.POSITIVE_INFINITY, 2, 3)).isEmpty();
        float least = Float.NEGATIVE_INFINITY;
        assertThat(argmax(least, least, least, least)).isEmpty();
    }

    @Test
    void argmaxPassesOverNaNUnlessItIsTheFirstElement() {
        assertThat(argmax(1, Float.NaN, 2, 0)).hasValue(2);
        assertThat(argmax(Float.NaN, 1, 2, 0)).isEmpty();
    }

    /** Of the second row of three; the others have greater elements. */
    private static OptionalInt argmax(float... row) {
        try (TokenRows rows = new TokenRows(3, row.length)) {
            for (int i = 0; i < 3 * row.length; i++) {
                rows.values().put(i, 100);
            }
            rows.write(1, row, 0);
            return rows.argmax(1);
        }
    }
}
