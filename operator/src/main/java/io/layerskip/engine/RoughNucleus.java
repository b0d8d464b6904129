package io.layerskip.engine;

import java.util.Arrays;

/**
 * Where top-p cuts rough weights, found without sorting them: a histogram of their mass. Its bins
 * are a thousandth of an octave to a thousandth of a weight wide.
 */
final class RoughNucleus {

    private static final int BITS = 10;
    private static final int SHIFT = 52 - BITS;
    private static final int OCTAVES = 32;
    private static final int TOP = OCTAVES << BITS;
    private static final int BELOW = (Double.MAX_EXPONENT - OCTAVES) << BITS;

    /** What the weights of a bin add up to; from the last bin kept on, with those above it. */
    private final double[] mass = new double[TOP + 1];

    private double target;
    private int last;

    /**
     * @param weights [count], at most 1
     * @param target what the nucleus reaches; less than all weights
     */
    void set(double[] weights, int count, double target) {
        Arrays.fill(mass, 0);
        for (int i = 0; i < count; i++) {
            mass[bin(weights[i])] += weights[i];
        }
        this.target = target;
        last = TOP;
        double sum = mass[TOP];
        while (last > 0 && sum < target * (1 + RoughWeights.ERROR)) {
            sum += mass[--last];
            mass[last] = sum;
        }
    }

    /** What weighs less is not in the nucleus. */
    double leastWeight() {
        return last == 0 ? 0 : lowerEdge(last) * (1 - RoughWeights.ERROR);
    }

    /** Whether all that may come before the token leave something of the nucleus for it. */
    boolean surelyHolds(double weight) {
        int bin = bin(weight * (1 - RoughWeights.ERROR));
        return bin >= last && mass[bin] - weight < target * (1 - RoughWeights.ERROR);
    }

    /** What the nucleus weighs; the weights of the bin that is cut are taken as equal. */
    double mass() {
        int bin = last;
        while (bin < TOP && mass[bin + 1] >= target) {
            bin++;
        }
        if (bin == 0) {
            return mass[0];
        }
        double above = bin == TOP ? 0 : mass[bin + 1];
        double ofBin = mass[bin] - above;
        double each = ofBin / Math.round(ofBin / lowerEdge(bin));
        return above + each * Math.ceil((target - above) / each);
    }

    private static int bin(double weight) {
        return Math.max(0, (int) (Double.doubleToRawLongBits(weight) >>> SHIFT) - BELOW);
    }

    private static double lowerEdge(int bin) {
        return Double.longBitsToDouble((long) (bin + BELOW) << SHIFT);
    }
}
