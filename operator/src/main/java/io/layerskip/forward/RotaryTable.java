package io.layerskip.forward;

import io.layerskip.model.ModelConfig;

/**
 * Cosines and sines of the rotary embedding, a position's computed when it is first needed: a long
 * context that nobody uses costs nothing. Not thread-safe.
 *
 * <p>Angles are products of floats, as the reference computes them.
 */
final class RotaryTable {

    private final float[] frequencies;
    private final float[][] positions;

    RotaryTable(ModelConfig config) {
        this.frequencies = config.rope().inverseFrequencies(config.headDim());
        this.positions = new float[config.maxPositionEmbeddings()][];
    }

    /** The cosines of a position's angles [head width / 2], and after them their sines. */
    float[] at(int position) {
        float[] table = positions[position];
        if (table == null) {
            int half = frequencies.length;
            table = new float[2 * half];
            for (int i = 0; i < half; i++) {
                float angle = position * frequencies[i];
                table[i] = (float) Math.cos(angle);
                table[half + i] = (float) Math.sin(angle);
            }
            positions[position] = table;
        }
        return table;
    }

    /**
     * Turns each pair (i, i + head width / 2) of a head by its angle (Su et al., RoFormer, section
     * 3.2; the halves are laid out as in Hugging Face's Llama).
     */
    static void rotate(float[] values, int head, float[] table) {
        int half = table.length / 2;
        for (int i = 0; i < half; i++) {
            float first = values[head + i];
            float second = values[head + half + i];
            values[head + i] = first * table[i] - second * table[half + i];
            values[head + half + i] = second * table[i] + first * table[half + i];
        }
    }
}
