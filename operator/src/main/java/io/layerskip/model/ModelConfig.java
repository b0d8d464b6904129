package io.layerskip.model;

import java.util.List;
import java.util.OptionalInt;
import org.apache.flink.annotation.PublicEvolving;

/**
 * The architecture that config.json describes, in Hugging Face's names.
 *
 * @param vocabSize rows of the embedding and of the head
 * @param hiddenSize width of the hidden states
 * @param intermediateSize width inside the MLP
 * @param numHiddenLayers decoder layers
 * @param numAttentionHeads query heads
 * @param numKeyValueHeads key/value heads; divides {@code numAttentionHeads}
 * @param headDim width of one head, even
 * @param maxPositionEmbeddings the context, in tokens
 * @param rmsNormEps epsilon of the RMS norms
 * @param rope the rotary embedding
 * @param tieWordEmbeddings whether the head is the embedding
 * @param eosTokenIds tokens that end a sequence; may be empty
 * @param defaultMaxNewTokens generation_config.json's max_new_tokens, if it has one
 */
@PublicEvolving
public record ModelConfig(
        int vocabSize,
        int hiddenSize,
        int intermediateSize,
        int numHiddenLayers,
        int numAttentionHeads,
        int numKeyValueHeads,
        int headDim,
        int maxPositionEmbeddings,
        float rmsNormEps,
        RotaryEmbedding rope,
        boolean tieWordEmbeddings,
        List<Integer> eosTokenIds,
        OptionalInt defaultMaxNewTokens) {

    public ModelConfig {
        eosTokenIds = List.copyOf(eosTokenIds);
    }

    /** Width of a token's query, key and value rows together: all heads side by side. */
    public int qkvWidth() {
        return (numAttentionHeads + 2 * numKeyValueHeads) * headDim;
    }

    /** Width of what attention leaves for a token: all query heads side by side. */
    public int attendedWidth() {
        return numAttentionHeads * headDim;
    }
}
