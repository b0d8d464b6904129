package io.layerskip.forward;

import java.nio.ByteBuffer;

/** How a matrix [out, in] is written in fewer bits, row by row: values, then scales. */
enum WeightFormat {
    /** A signed byte a weight, in {@link BytePairs}, and a scale a row. */
    BYTE {
        @Override
        boolean transposed() {
            return true;
        }

        @Override
        int valueBytes(int inputs) {
            return inputs;
        }

        @Override
        int scales(int inputs) {
            return 1;
        }

        @Override
        void write(float[] row, ByteBuffer values, ByteBuffer scales) {
            scales.putFloat(BytePairs.write(row, values));
        }
    },

    /**
     * Half a byte a weight and a scale a block: w = (value - 8) scale, where the weight of the
     * greatest magnitude is value 0; as GGML's Q4_0.
     */
    NIBBLE {
        @Override
        boolean transposed() {
            return false;
        }

        @Override
        int valueBytes(int inputs) {
            return scales(inputs) * BLOCK / 2;
        }

        @Override
        int scales(int inputs) {
            return (inputs + BLOCK - 1) / BLOCK;
        }

        @Override
        void write(float[] row, ByteBuffer values, ByteBuffer scales) {
            for (int from = 0; from < row.length; from += BLOCK) {
                int to = Math.min(row.length, from + BLOCK);
                float greatest = 0;
                for (int i = from; i < to; i++) {
                    greatest = Math.abs(row[i]) > Math.abs(greatest) ? row[i] : greatest;
                }
                float scale = greatest / -NIBBLE_ZERO;
                scales.putFloat(scale);
                for (int i = from; i < from + BLOCK; i += 2) {
                    int low = i < to ? nibble(row[i], scale) : NIBBLE_ZERO;
                    int high = i + 1 < to ? nibble(row[i + 1], scale) : NIBBLE_ZERO;
                    values.put((byte) (low | high << 4));
                }
            }
        }

        private static int nibble(float weight, float scale) {
            int value = scale == 0 ? 0 : Math.round(weight / scale);
            return Math.min(value + NIBBLE_ZERO, 2 * NIBBLE_ZERO - 1);
        }
    };

    /** Weights that share a scale in {@link #NIBBLE}. */
    static final int BLOCK = 32;

    private static final int NIBBLE_ZERO = 8;

    /** Whether a file holds a matrix's values as [in, out], and not row by row. */
    abstract boolean transposed();

    /** Bytes of a row's values. */
    abstract int valueBytes(int inputs);

    /** Scales of a row. */
    abstract int scales(int inputs);

    /** Writes one row of finite weights. */
    abstract void write(float[] row, ByteBuffer values, ByteBuffer scales);
}
