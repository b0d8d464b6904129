package io.layerskip.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

class RadixSelectionTest {

    private final RadixSelection selection = new RadixSelection();

    @Test
    void findsWhatASortFinds() {
        Random random = new Random(1);
        float[] values = new float[1000];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (random.nextGaussian() * Math.exp(random.nextGaussian() * 10));
        }
        float[] sorted = values.clone();
        Arrays.sort(sorted);
        for (int k = 1; k <= values.length; k++) {
            assertThat(selection.greatest(values, k)).isEqualTo(sorted[values.length - k]);
        }
    }

    @Test
    void countsEqualsOneByOne() {
        float[] values = {2, 3, 3, Float.NEGATIVE_INFINITY, 2, -0.0f, 3};

        assertThat(selection.greatest(values, 1)).isEqualTo(3);
        assertThat(selection.greatest(values, 3)).isEqualTo(3);
        assertThat(selection.greatest(values, 4)).isEqualTo(2);
        assertThat(selection.greatest(values, 6)).isEqualTo(-0.0f);
        assertThat(selection.greatest(values, 7)).isEqualTo(Float.NEGATIVE_INFINITY);
    }
}
