package io.layerskip.forward;

import java.util.Arrays;

/**
 * A vector in 4 bits an element, bit by bit, for products with {@link HeadCodes}: element = (value
 * - {@value #ZERO_POINT}) x step. A buffer that is filled again for every vector.
 */
final class CodedVector {

    static final int BITS = 4;

    private static final float ZERO_POINT = 7.5f;
    private static final int GREATEST = 15;

    /** In standard deviations; a rotated vector's elements are spread as a normal distribution. */
    private static final float RANGE = 2.7f;

    private final int width;
    private final int[][] planes;
    private int sum;

    CodedVector(int width) {
        this.width = width;
        this.planes = new int[BITS][(width + Integer.SIZE - 1) / Integer.SIZE];
    }

    void set(float[] vector) {
        float squares = 0;
        for (float element : vector) {
            squares += element * element;
        }
        float step = RANGE / ZERO_POINT * (float) Math.sqrt(squares / width);
        for (int[] plane : planes) {
            Arrays.fill(plane, 0);
        }
        sum = 0;
        for (int i = 0; i < width; i++) {
            int value = Math.round(vector[i] / step + ZERO_POINT);
            value = Math.max(0, Math.min(value, GREATEST));
            sum += value;
            for (int bit = 0; bit < BITS; bit++) {
                planes[bit][i / Integer.SIZE] |= (value >> bit & 1) << i;
            }
        }
    }

    /** A bit of each of 32 elements. */
    int plane(int bit, int word) {
        return planes[bit][word];
    }

    /**
     * The product with a vector of signs, in steps / 2.
     *
     * @param count the sum of the values where the sign is positive
     * @param positive how many are
     */
    float product(int count, int positive) {
        // sum of sign x (value - zero point), where a sign is 2 x bit - 1
        return 2 * count - sum - 2 * ZERO_POINT * positive + ZERO_POINT * width;
    }
}
