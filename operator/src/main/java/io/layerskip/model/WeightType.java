package io.layerskip.model;

import org.apache.flink.annotation.PublicEvolving;

/** Element types of weights, in safetensors' names. */
@PublicEvolving
public enum WeightType {
    F32(4),
    F16(2),
    BF16(2);

    private final int bytes;

    WeightType(int bytes) {
        this.bytes = bytes;
    }

    /** Bytes an element takes. */
    public int bytes() {
        return bytes;
    }
}
