package io.layerskip.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Random;
import org.junit.jupiter.api.Test;

class CostCurveTest {

    private static final int[] SIZES = {1, 2, 4, 8};

    @Test
    void goesStraightFromKnotToKnotAndOn() {
        CostCurve curve = new CostCurve(SIZES, new double[] {10, 12, 20, 60});

        assertThat(curve.at(0)).isZero();
        assertThat(curve.at(1)).isEqualTo(10);
        assertThat(curve.at(3)).isEqualTo(16);
        assertThat(curve.at(8)).isEqualTo(60);
        assertThat(curve.at(10)).isEqualTo(80);
    }

    @Test
    void takesAPassThatALargerOneOvertookForInterrupted() {
        CostCurve curve = new CostCurve(SIZES, new double[] {10, 500, 20, 60});

        assertThat(curve.at(2)).isEqualTo(20);
    }

    @Test
    void learnsTheCostsOfTheSizesThatAreUsed() {
        CostCurve curve = new CostCurve(SIZES, new double[] {10, 100, 100, 100});
        Random random = new Random(1);
        for (int i = 0; i < 2_000; i++) {
            int rows = 1 + random.nextInt(8);
            curve.observe(rows, 20 + 3 * rows + random.nextGaussian());
        }

        for (int rows = 1; rows <= 8; rows++) {
            assertThat(curve.at(rows)).isCloseTo(20 + 3 * rows, within(1.5));
        }
    }

    @Test
    void takesWhatIsNewToItAfterAFewPasses() {
        CostCurve curve = new CostCurve(SIZES, new double[] {10, 100, 100, 100});
        for (int i = 0; i < 20; i++) {
            curve.observe(4, 20);
        }

        assertThat(curve.at(4)).isLessThan(45);
        assertThat(curve.at(2)).isLessThanOrEqualTo(curve.at(4));
    }

    @Test
    void hardlyMindsAPassThatWasInterrupted() {
        CostCurve curve = new CostCurve(SIZES, new double[] {10, 12, 20, 60});
        for (int i = 0; i < 1_000; i++) {
            curve.observe(2, i % 100 == 99 ? 5_000 : 12);
        }

        assertThat(curve.at(2)).isBetween(12.0, 13.5);
    }

    @Test
    void moreRowsNeverCostLess() {
        CostCurve curve = new CostCurve(SIZES, new double[] {10, 12, 20, 60});
        Random random = new Random(2);
        for (int i = 0; i < 1_000; i++) {
            curve.observe(1 + random.nextInt(8), 100 * random.nextDouble());
            for (int rows = 1; rows < 10; rows++) {
                assertThat(curve.at(rows + 1)).isGreaterThanOrEqualTo(curve.at(rows) - 1e-9);
            }
        }
    }

    @Test
    void aSlowerMachineIsSlowerForPassesOfAnySize() {
        CostCurve curve = new CostCurve(SIZES, new double[] {10, 12, 20, 60});
        for (int i = 0; i < 4_000; i++) {
            curve.observe(1, i < 2_000 ? 10 : 20);
        }

        assertThat(curve.at(8)).isGreaterThan(75);
    }
}
