package io.layerskip.bench;

import java.nio.ByteBuffer;

/**
 * How llama.cpp keeps a tensor's elements. The quantized types take blocks of 32 neighbours, rounded
 * as ggml-quants.c in llama.cpp's sources rounds them.
 */
enum GgufType {
    F32(0, 1, 4) {
        @Override
        void encode(float[] row, int from, ByteBuffer target) {
            target.putFloat(row[from]);
        }
    },
    /** A scale in float16 and 32 bytes. */
    Q8_0(8, 32, 34) {
        @Override
        void encode(float[] row, int from, ByteBuffer target) {
            float scale = Math.abs(row[greatest(row, from)]) / Byte.MAX_VALUE;
            float inverse = scale == 0 ? 0 : 1 / scale;
            target.putShort(float16(scale));
            for (int i = 0; i < elements(); i++) {
                float scaled = row[from + i] * inverse;
                // Halves away from 0.
                target.put((byte) Math.copySign(Math.round(Math.abs(scaled)), scaled));
            }
        }
    },
    /** A scale in float16 and 16 bytes: elements i and i + 16 share one, i in the lower half. */
    Q4_0(2, 32, 18) {
        @Override
        void encode(float[] row, int from, ByteBuffer target) {
            float scale = row[greatest(row, from)] / -8;
            float inverse = scale == 0 ? 0 : 1 / scale;
            target.putShort(float16(scale));
            int half = elements() / 2;
            for (int i = from; i < from + half; i++) {
                target.put((byte) (four(row[i] * inverse) | four(row[i + half] * inverse) << 4));
            }
        }

        private int four(float scaled) {
            return Math.min(15, (int) (scaled + 8.5f));
        }
    };

    private final int id;
    private final int elements;
    private final int bytes;

    GgufType(int id, int elements, int bytes) {
        this.id = id;
        this.elements = elements;
        this.bytes = bytes;
    }

    /** Its number in a file. */
    int id() {
        return id;
    }

    /** Elements of a block. */
    int elements() {
        return elements;
    }

    /** What so many elements take; a multiple of a block's. */
    long bytes(long count) {
        return count / elements * bytes;
    }

    /** Writes one block, from an index of a row on. */
    abstract void encode(float[] row, int from, ByteBuffer target);

    /** The index of a block's element that is furthest from 0. */
    int greatest(float[] row, int from) {
        int greatest = from;
        for (int i = from; i < from + elements; i++) {
            if (Math.abs(row[i]) > Math.abs(row[greatest])) {
                greatest = i;
            }
        }
        return greatest;
    }

    /** The nearest number that IEEE 754 binary16 has, the even one of two. */
    static short float16(float value) {
        int sign = Float.floatToRawIntBits(value) >>> 16 & 0x8000;
        float magnitude = Math.abs(value);
        if (magnitude >= 65520) {
            return (short) (sign | 0x7c00);
        }
        if (magnitude < 0x1p-14f) {
            return (short) (sign | (int) Math.rint(magnitude * 0x1p24));
        }
        int bits = Float.floatToRawIntBits(magnitude) - (127 - 15 << 23);
        return (short) (sign | bits + 0xfff + (bits >>> 13 & 1) >>> 13);
    }
}
