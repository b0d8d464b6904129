package io.layerskip.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class SplitMix64Test {

    @Test
    void aStreamHasTheGeneratorsNumbers() {
        // The first numbers of the authors' generator after the seed 1234567.
        assertThat(SplitMix64.mix(1234567)).isEqualTo(6457827717110365317L);
        assertThat(SplitMix64.bits(1234567, 0)).isEqualTo(6457827717110365317L >>> 11);
        assertThat(SplitMix64.bits(1234567, 1)).isEqualTo(3203168211198807973L >>> 11);
        assertThat(SplitMix64.bits(1234567, 2))
                .isEqualTo(Long.parseUnsignedLong("9817491932198370423") >>> 11);
    }

    @Test
    void theNumbersAsFractionsAreAbove0AndAtMost1() {
        assertThat(SplitMix64.uniform(0)).isPositive();
        assertThat(SplitMix64.uniform(SplitMix64.MAX_BITS / 2)).isCloseTo(0.5, within(1e-15));
        assertThat(SplitMix64.uniform(SplitMix64.MAX_BITS)).isEqualTo(1);
    }
}
