package io.layerskip.forward;

import io.layerskip.model.ModelConfig;
import org.apache.flink.annotation.PublicEvolving;

/** How keys and values are kept between passes. */
@PublicEvolving
public enum KeyValueCacheType {
    /** As they are computed, 4 bytes an element. */
    FLOAT32,
    /** A byte an element, and a scale for each token and head; may change texts. */
    INT8;

    /** Bytes of {@link KeyValueBlock#TOKENS} tokens, all layers. */
    public long blockBytes(ModelConfig config) {
        return this == FLOAT32 ? Float32Block.bytes(config) : Int8Block.bytes(config);
    }

    KeyValueBlock newBlock(ModelConfig config) {
        return this == FLOAT32 ? new Float32Block(config) : new Int8Block(config);
    }
}
