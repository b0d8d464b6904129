package io.layerskip.forward;

import static org.assertj.core.api.Assertions.assertThat;

import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Test;

class AttentionTest {

    @Test
    void theExponentialIsAsExactAsAFloatAllows() {
        for (double x = -86.9; x <= 0; x += 0.00137) {
            assertThat((double) Attention.exp((float) x))
                    .isCloseTo(Math.exp((float) x), Percentage.withPercentage(3e-5));
        }
        assertThat(Attention.exp(0)).isEqualTo(1);
    }

    @Test
    void theExponentialOfWhatIsFarBelowZeroIsZero() {
        assertThat(Attention.exp(-100)).isZero();
        assertThat(Attention.exp(Float.NEGATIVE_INFINITY)).isZero();
        assertThat(Attention.exp(Float.NaN)).isNaN();
    }
}
