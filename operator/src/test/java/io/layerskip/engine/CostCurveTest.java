package io.layerskip.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.DoubleSummaryStatistics;
import java.util.Random;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class CostCurveTest {

    private static final int[] SIZES = {1, 2, 4, 8};

    /** Series of passes that a property is tried with, and passes in each. */
    private static final int SERIES = 3_000;

    private static final int PASSES = 60;

    /** Sizes between knots and beyond the last one, of which none here is above 300. */
    private static final int[] CHECKED_ROWS =
            IntStream.concat(
                            IntStream.iterate(1, rows -> rows < 1_000, rows -> rows + 1 + rows / 8),
                            IntStream.of(100_000, 1_000_000, Integer.MAX_VALUE))
                    .toArray();

    /** The most µs that the JVM's clock can tell. */
    private static final double LONGEST = Long.MAX_VALUE / 1e3;

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

    @Test
    void costsArePositiveAndFiniteWhateverPassesTook() {
        forAnySeries(
                (first, curve, range) -> {
                    DoubleSummaryStatistics costs = costs(curve).summaryStatistics();
                    assertThat(costs.getMin()).isPositive();
                    assertThat(costs.getMax()).isFinite();
                });
    }

    @Test
    void costsNeverFallWithTheRowsWhateverPassesTook() {
        forAnySeries((first, curve, range) -> assertThat(costs(curve).toArray()).isSorted());
    }

    @Test
    void costsStayWithinWhatWasSeenWhateverPassesTook() {
        forAnySeries(
                (first, curve, range) -> {
                    DoubleSummaryStatistics multiples =
                            Arrays.stream(CHECKED_ROWS)
                                    .mapToDouble(rows -> curve.at(rows) / first.at(rows))
                                    .summaryStatistics();
                    assertThat(multiples.getMin()).isGreaterThanOrEqualTo(range.least * 0.999_999);
                    assertThat(multiples.getMax()).isLessThanOrEqualTo(range.most * 1.000_001);
                });
    }

    @Test
    void aSlowPassBeyondTheLastKnotMakesNoSmallerOneCheaper() {
        CostCurve curve = new CostCurve(SIZES, new double[] {10, 12, 20, 60});
        for (int i = 0; i < 100; i++) {
            curve.observe(24, 500);
        }

        assertThat(curve.at(4)).isGreaterThanOrEqualTo(20);
        assertThat(curve.at(24)).isCloseTo(500, within(5.0));
    }

    @FunctionalInterface
    private interface Property {

        /**
         * @param first the curve as it was before any pass
         * @param range multiples of a size's first cost that passes took
         */
        void check(CostCurve first, CostCurve curve, Range range);
    }

    private static final class Range {
        private double least = 1;
        private double most = 1;

        void add(double multiple) {
            least = Math.min(least, multiple);
            most = Math.max(most, multiple);
        }
    }

    /** Checks a property after each pass of many series, likely and absurd ones. */
    private static void forAnySeries(Property property) {
        for (int seed = 0; seed < SERIES; seed++) {
            Random random = new Random(seed);
            int[] sizes = sizes(random);
            double[] micros =
                    random.doubles(sizes.length).map(share -> micros(random, 100)).toArray();
            CostCurve first = new CostCurve(sizes, micros);
            CostCurve curve = new CostCurve(sizes, micros);
            Range range = new Range();
            int last = sizes[sizes.length - 1];
            int passesAtOneSize = 1 + random.nextInt(PASSES);
            int rows = 1;
            for (int pass = 0; pass < PASSES; pass++) {
                if (pass % passesAtOneSize == 0) {
                    rows = rows(random, last);
                }
                double expected = curve.at(rows);
                double took = micros(random, expected);
                range.add(
                        Math.min(Math.max(took, CostCurve.SHORTEST), CostCurve.OUTLIER * expected)
                                / first.at(rows));
                curve.observe(rows, took);
                property.check(first, curve, range);
            }
        }
    }

    /** From two to eight sizes; the first is 1. */
    private static int[] sizes(Random random) {
        int[] sizes = new int[2 + random.nextInt(7)];
        sizes[0] = 1;
        for (int knot = 1; knot < sizes.length; knot++) {
            sizes[knot] = sizes[knot - 1] + 1 + random.nextInt(random.nextBoolean() ? 2 : 40);
        }
        return sizes;
    }

    private static int rows(Random random, int last) {
        return switch (random.nextInt(4)) {
            case 0 -> last + 1 + random.nextInt(3 * last);
            case 1 -> 100_000 + random.nextInt(1_000_000);
            default -> 1 + random.nextInt(last);
        };
    }

    private static double micros(Random random, double expected) {
        return switch (random.nextInt(8)) {
            case 0 -> 0;
            case 1 -> Double.MIN_VALUE;
            case 2 -> LONGEST;
            case 3 -> Math.exp(40 * random.nextDouble() - 10);
            case 4 -> expected / 1_000;
            default -> expected * (0.5 + random.nextDouble());
        };
    }

    private static DoubleStream costs(CostCurve curve) {
        return Arrays.stream(CHECKED_ROWS).mapToDouble(curve::at);
    }
}
