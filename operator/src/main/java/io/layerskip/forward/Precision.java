package io.layerskip.forward;

import org.apache.flink.annotation.PublicEvolving;

/**
 * How matrices are kept and multiplied. Norms, attention and everything between products are
 * float32 in any case, and no row's result depends on the rows beside it.
 */
@PublicEvolving
public enum Precision {
    /** float32, as exact as the checkpoint. */
    FP32,

    /**
     * int8 with a scale for each output; activations are rounded to int8 too, with a scale for each
     * row, and products are summed exactly. Where that leaves the greatest logits close to each
     * other, greedy decoding has the head in the checkpoint decide. A quarter of float32's memory.
     */
    INT8,

    /**
     * 4 bits with a scale for each block of 32 weights, the head as {@link #INT8}. About a sixth of
     * float32's memory, for models that memory limits.
     */
    INT4
}
