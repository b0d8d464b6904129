package io.layerskip.model;

import java.util.Optional;
import org.apache.flink.annotation.PublicEvolving;

/**
 * Rotary position embedding (RoPE; Su et al., 2021), with Llama 3.1's frequency scaling where the
 * checkpoint asks for it.
 *
 * @param theta base of the frequencies
 * @param scaling {@code rope_scaling} of type {@code llama3}; empty for none
 */
@PublicEvolving
public record RotaryEmbedding(double theta, Optional<Llama3Scaling> scaling) {

    /**
     * The {@code llama3} scaling: low frequencies are divided by {@code factor}, high ones kept,
     * those between interpolated.
     *
     * @param factor how much longer the context became
     * @param lowFreqFactor wavelengths above original context / this are scaled
     * @param highFreqFactor wavelengths below original context / this are kept
     * @param originalMaxPositionEmbeddings the context before scaling, in tokens
     */
    public record Llama3Scaling(
            double factor,
            double lowFreqFactor,
            double highFreqFactor,
            int originalMaxPositionEmbeddings) {

        /**
         * The scaled frequency, as {@code _compute_llama3_parameters} in Hugging Face's
         * modeling_rope_utils.py computes it.
         */
        private float scale(float inverseFrequency) {
            float wavelength = (float) (2 * Math.PI) / inverseFrequency;
            if (wavelength < originalMaxPositionEmbeddings / highFreqFactor) {
                return inverseFrequency;
            }
            if (wavelength > originalMaxPositionEmbeddings / lowFreqFactor) {
                return inverseFrequency / (float) factor;
            }
            float smooth =
                    (originalMaxPositionEmbeddings / wavelength - (float) lowFreqFactor)
                            / (float) (highFreqFactor - lowFreqFactor);
            return (1 - smooth) * inverseFrequency / (float) factor + smooth * inverseFrequency;
        }
    }

    /**
     * The angle by which each pair of dimensions turns from one position to the next, in radians:
     * theta^(-2i / headDim), scaled where the checkpoint asks for it.
     *
     * <p>Every step is rounded to float, as the reference computes: the angle is multiplied by
     * positions in the thousands, where a difference in the last bit begins to show.
     *
     * @param headDim width of one head, even
     * @return [headDim / 2]
     */
    public float[] inverseFrequencies(int headDim) {
        float[] frequencies = new float[headDim / 2];
        for (int i = 0; i < frequencies.length; i++) {
            float exponent = 2 * i / (float) headDim;
            float frequency = 1 / (float) Math.pow(theta, exponent);
            frequencies[i] = scaling.isPresent() ? scaling.get().scale(frequency) : frequency;
        }
        return frequencies;
    }
}
