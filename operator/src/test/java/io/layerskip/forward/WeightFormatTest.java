package io.layerskip.forward;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.util.Random;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

class WeightFormatTest {

    /** Not a multiple of the block. */
    private static final int INPUTS = 70;

    private final float[] row = new float[INPUTS];
    private final ByteBuffer values = ByteBuffer.allocate(128);
    private final ByteBuffer scales = ByteBuffer.allocate(128);

    WeightFormatTest() {
        Random random = new Random(1);
        for (int i = 0; i < INPUTS; i++) {
            row[i] = (float) random.nextGaussian();
        }
    }

    @Test
    void aNibbleIsOffByAStepAtTheMostAndTheGreatestIsExact() {
        WeightFormat.NIBBLE.write(row, values, scales);

        assertThat(values.position()).isEqualTo(WeightFormat.NIBBLE.valueBytes(INPUTS));
        assertThat(scales.position()).isEqualTo(Float.BYTES * WeightFormat.NIBBLE.scales(INPUTS));
        for (int i = 0; i < INPUTS; i++) {
            float scale = scales.getFloat(i / WeightFormat.BLOCK * Float.BYTES);
            int nibble = values.get(i / 2) >> (i % 2 * 4) & 0xf;
            float read = (nibble - 8) * scale;
            if (nibble == 0) {
                assertThat(read).isCloseTo(row[i], Offset.offset(0.501f * Math.abs(scale)));
            } else {
                assertThat(read).isCloseTo(row[i], Offset.offset(1.001f * Math.abs(scale)));
            }
        }
    }

    @Test
    void zerosStayZeros() {
        for (WeightFormat format : WeightFormat.values()) {
            format.write(new float[INPUTS], values.clear(), scales.clear());

            assertThat(scales.getFloat(0)).isZero();
        }
    }
}
