package io.layerskip.forward;

import static org.assertj.core.api.Assertions.assertThat;

import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Test;

class ExponentialTest {

    @Test
    void theExponentialIsAsExactAsAFloatAllows() {
        for (double x = -86.9; x <= 0; x += 0.00137) {
            assertThat((double) Exponential.of((float) x))
                    .isCloseTo(Math.exp((float) x), Percentage.withPercentage(3e-5));
        }
        assertThat(Exponential.of(0)).isEqualTo(1);
    }

    @Test
    void theExponentialOfWhatIsFarBelowZeroIsZero() {
        assertThat(Exponential.of(-100)).isZero();
        assertThat(Exponential.of(Float.NEGATIVE_INFINITY)).isZero();
        assertThat(Exponential.of(Float.NaN)).isNaN();
    }
}
