package io.layerskip.model;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.annotation.Internal;

/** The tensors that a Llama's configuration implies, and their names. */
@Internal
public final class LlamaTensors {

    public static final String EMBEDDING = "model.embed_tokens.weight";
    public static final String FINAL_NORM = "model.norm.weight";
    public static final String HEAD = "lm_head.weight";

    private LlamaTensors() {}

    /** A layer's names; {@code layer} from 0. */
    public static Layer layer(int layer) {
        return new Layer("model.layers." + layer + ".");
    }

    /**
     * The shape of each tensor by its name in the checkpoint; projections are [out, in]. With tied
     * embeddings there is no {@code lm_head.weight}, even where one stands in the file.
     */
    public static Map<String, List<Long>> shapes(ModelConfig config) {
        long hidden = config.hiddenSize();
        long intermediate = config.intermediateSize();
        long vocabulary = config.vocabSize();
        long queries = (long) config.numAttentionHeads() * config.headDim();
        long keys = (long) config.numKeyValueHeads() * config.headDim();

        Map<String, List<Long>> shapes = new LinkedHashMap<>();
        shapes.put(EMBEDDING, List.of(vocabulary, hidden));
        for (int layer = 0; layer < config.numHiddenLayers(); layer++) {
            Layer names = layer(layer);
            shapes.put(names.inputNorm(), List.of(hidden));
            shapes.put(names.query(), List.of(queries, hidden));
            shapes.put(names.key(), List.of(keys, hidden));
            shapes.put(names.value(), List.of(keys, hidden));
            shapes.put(names.attentionOutput(), List.of(hidden, queries));
            shapes.put(names.mlpNorm(), List.of(hidden));
            shapes.put(names.gate(), List.of(intermediate, hidden));
            shapes.put(names.up(), List.of(intermediate, hidden));
            shapes.put(names.down(), List.of(hidden, intermediate));
        }
        shapes.put(FINAL_NORM, List.of(hidden));
        if (!config.tieWordEmbeddings()) {
            shapes.put(HEAD, List.of(vocabulary, hidden));
        }
        return shapes;
    }

    /**
     * The shapes [out, in] of the matrices that a pass multiplies by: the head is one of them, an
     * embedding of its own is not, of which only rows are looked up.
     */
    public static Map<String, List<Long>> matrices(ModelConfig config) {
        Map<String, List<Long>> matrices = new LinkedHashMap<>(shapes(config));
        String head = head(config);
        matrices.entrySet()
                .removeIf(
                        tensor ->
                                tensor.getValue().size() < 2
                                        || tensor.getKey().equals(EMBEDDING)
                                                && !head.equals(EMBEDDING));
        return matrices;
    }

    /** The language model head's name: with tied embeddings, the embedding's. */
    public static String head(ModelConfig config) {
        return config.tieWordEmbeddings() ? EMBEDDING : HEAD;
    }

    /** Names of one decoder layer's tensors. */
    public record Layer(String prefix) {

        public String inputNorm() {
            return prefix + "input_layernorm.weight";
        }

        public String query() {
            return prefix + "self_attn.q_proj.weight";
        }

        public String key() {
            return prefix + "self_attn.k_proj.weight";
        }

        public String value() {
            return prefix + "self_attn.v_proj.weight";
        }

        public String attentionOutput() {
            return prefix + "self_attn.o_proj.weight";
        }

        public String mlpNorm() {
            return prefix + "post_attention_layernorm.weight";
        }

        public String gate() {
            return prefix + "mlp.gate_proj.weight";
        }

        public String up() {
            return prefix + "mlp.up_proj.weight";
        }

        public String down() {
            return prefix + "mlp.down_proj.weight";
        }
    }
}
