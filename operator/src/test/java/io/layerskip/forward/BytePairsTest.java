package io.layerskip.forward;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.util.Random;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BytePairsTest {

    private final ByteBuffer bytes = ByteBuffer.allocate(4096);

    @Test
    void aRowOfSmallPairsIsOffByHalfAStepAtTheMost() {
        float[] row = {-1, 0.003f, 0.3f, 0.6f, -0.2f, 0.9f, 0.7f};
        float scale = BytePairs.write(row, bytes);

        assertThat(scale).isEqualTo(1f / 127);
        for (int i = 0; i < row.length; i++) {
            assertThat(bytes.get(i) * scale).isCloseTo(row[i], Offset.offset(0.501f * scale));
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 64, 2048, 2049})
    void twoNeighboursOfASignAreAtMost128(int length) {
        Random random = new Random(length);
        for (int round = 0; round < 100; round++) {
            float[] row = new float[length];
            for (int i = 0; i < length; i++) {
                row[i] = (float) (random.nextGaussian() * Math.exp(2 * random.nextGaussian()));
            }
            bytes.clear();
            float scale = BytePairs.write(row, bytes);

            assertThat(bytes.position()).isEqualTo(length);
            for (int i = 0; i + 1 < length; i += 2) {
                assertThat(Math.abs(bytes.get(i) + bytes.get(i + 1))).isLessThanOrEqualTo(128);
            }
            for (int i = 0; i < length; i++) {
                boolean sameSign = bytes.get(i) * scale * row[i] >= 0;
                assertThat(sameSign).isTrue();
            }
        }
    }

    @Test
    void aPairThatIsTooLargeGivesUpTheSameOfBoth() {
        float[] row = new float[2048];
        row[0] = 100;
        row[1] = 90;
        for (int i = 2; i < row.length; i++) {
            row[i] = i % 2 == 0 ? 1.3f : -1.3f;
        }
        float scale = BytePairs.write(row, bytes);

        // Coarser than for 100 alone, finer than for 190 in 128 steps.
        assertThat(scale).isBetween(100f / 127, 190f / 128);
        assertThat(bytes.get(0) + bytes.get(1)).isEqualTo(128);
        assertThat(bytes.get(0) - bytes.get(1)).isCloseTo(Math.round(10 / scale), Offset.offset(1));
    }

    @Test
    void theErrorOfAGaussianRowIsLessThanTwiceThatOfRoundingAlone() {
        Random random = new Random(7);
        float[] row = new float[2048];
        float greatest = 0;
        for (int i = 0; i < row.length; i++) {
            row[i] = (float) random.nextGaussian();
            greatest = Math.max(greatest, Math.abs(row[i]));
        }
        float scale = BytePairs.write(row, bytes);

        double error = 0;
        double rounding = 0;
        for (int i = 0; i < row.length; i++) {
            error += Math.pow(row[i] - bytes.get(i) * scale, 2);
            float step = greatest / 127;
            rounding += Math.pow(row[i] - Math.round(row[i] / step) * step, 2);
        }
        assertThat(error / rounding).isLessThan(2);
    }

    @Test
    void theSmallestNumbersBecomeZeros() {
        float tiny = 180 * Float.MIN_VALUE;
        float scale = BytePairs.write(new float[] {tiny, tiny, -tiny, 0}, bytes);

        assertThat(scale).isZero();
        assertThat(bytes.array()).containsOnly(0);
    }
}
