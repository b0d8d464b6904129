package io.layerskip.forward;

import static io.layerskip.forward.OnnxGraph.DYNAMIC;
import static io.layerskip.forward.OnnxGraph.MICROSOFT;
import static io.layerskip.forward.OnnxGraph.ONNX;
import static io.layerskip.forward.OnnxGraph.attribute;

import ai.onnx.proto.OnnxMl.TensorProto.DataType;
import io.layerskip.model.CheckpointException;
import io.layerskip.model.LlamaTensors;
import io.layerskip.model.ModelConfig;
import io.layerskip.model.Weight;
import io.layerskip.model.WeightRows;
import java.nio.FloatBuffer;
import java.util.List;
import java.util.function.Function;

/**
 * The ONNX graphs of a Llama decoder: what lies between one attention and the next.
 *
 * <pre>
 *   attentionInput(i)    hidden            -> norm, query/key/value of layer i -> qkv
 *   betweenAttentions(i) attended, hidden  -> output projection and MLP of layer i, norm and
 *                                             query/key/value of layer i + 1   -> hidden_out, qkv
 *   attentionOutput(i)   attended, hidden  -> output projection and MLP of layer i -> hidden_out
 *   head                 hidden            -> final norm, language model head  -> logits
 * </pre>
 *
 * Every row is one token, [1, tokens, width], and no operator looks at two rows at once: rows of
 * different sequences and positions may share a pass in any mix. Attention itself, which differs
 * from sequence to sequence, happens outside, and so does the embedding: a copy of a row needs no
 * operator, and a tied embedding then belongs to the head alone.
 *
 * <p>Query, key and value are one matrix.
 */
final class OnnxGraphs {

    static final String HIDDEN = "hidden";
    static final String HIDDEN_OUT = "hidden_out";
    static final String LOGITS = "logits";
    static final String ATTENDED = "attended";
    static final String QKV = "qkv";

    private final ModelConfig config;
    private final Function<String, Weight> weights;
    private final MatrixProducts products;
    private final MatrixProducts headProducts;

    /**
     * @param weights the checkpoint's tensors by name
     * @param products of the layers
     * @param headProducts of the head
     */
    OnnxGraphs(
            ModelConfig config,
            Function<String, Weight> weights,
            MatrixProducts products,
            MatrixProducts headProducts) {
        this.config = config;
        this.weights = weights;
        this.products = products;
        this.headProducts = headProducts;
    }

    /** Hidden states to the first layer's query, key and value rows. */
    OnnxGraph attentionInput(int layer) {
        OnnxGraph graph = new OnnxGraph("attention_input_" + layer);
        String hidden = graph.input(HIDDEN, DataType.FLOAT, 1, DYNAMIC, config.hiddenSize());
        String normed = addAndNorm(graph, hidden, "", names(layer).inputNorm(), "norm.")[0];
        queryKeyValue(graph, normed, layer);
        return graph;
    }

    /** From the attention of a layer to the query, key and value rows of the next. */
    OnnxGraph betweenAttentions(int layer) {
        OnnxGraph graph = new OnnxGraph("between_attentions_" + layer);
        String[] summands = attentionOutputAndMlp(graph, layer);
        String[] normed =
                addAndNorm(
                        graph,
                        summands[0],
                        summands[1],
                        names(layer + 1).inputNorm(),
                        "next.",
                        HIDDEN_OUT);
        graph.output(HIDDEN_OUT, DataType.FLOAT, 1, DYNAMIC, config.hiddenSize());
        queryKeyValue(graph, normed[0], layer + 1);
        return graph;
    }

    /** From the attention of a layer to the hidden states that leave it. */
    OnnxGraph attentionOutput(int layer) {
        OnnxGraph graph = new OnnxGraph("attention_output_" + layer);
        graph.node(ONNX, "Add", HIDDEN_OUT, List.of(attentionOutputAndMlp(graph, layer)));
        graph.output(HIDDEN_OUT, DataType.FLOAT, 1, DYNAMIC, config.hiddenSize());
        return graph;
    }

    /** Final norm and language model head. */
    OnnxGraph head() {
        OnnxGraph graph = new OnnxGraph("head");
        String hidden = graph.input(HIDDEN, DataType.FLOAT, 1, DYNAMIC, config.hiddenSize());
        String normed = addAndNorm(graph, hidden, "", LlamaTensors.FINAL_NORM, "final.")[0];
        headProducts.multiply(graph, normed, List.of(LlamaTensors.head(config)), LOGITS);
        graph.output(LOGITS, DataType.FLOAT, 1, DYNAMIC, config.vocabSize());
        return graph;
    }

    /** The two summands of what leaves the layer: hidden states after attention, and the MLP's. */
    private String[] attentionOutputAndMlp(OnnxGraph graph, int layer) {
        LlamaTensors.Layer names = names(layer);
        String attended = graph.input(ATTENDED, DataType.FLOAT, 1, DYNAMIC, config.attendedWidth());
        String hidden = graph.input(HIDDEN, DataType.FLOAT, 1, DYNAMIC, config.hiddenSize());
        String projected =
                products.multiply(
                        graph, attended, List.of(names.attentionOutput()), "attention_output");
        String[] normed = addAndNorm(graph, hidden, projected, names.mlpNorm(), "mlp.");
        return new String[] {normed[1], mlp(graph, normed[0], names)};
    }

    private void queryKeyValue(OnnxGraph graph, String normed, int layer) {
        LlamaTensors.Layer names = names(layer);
        products.multiply(graph, normed, List.of(names.query(), names.key(), names.value()), QKV);
        graph.output(QKV, DataType.FLOAT, 1, DYNAMIC, config.qkvWidth());
    }

    private static LlamaTensors.Layer names(int layer) {
        return LlamaTensors.layer(layer);
    }

    private String[] addAndNorm(
            OnnxGraph graph, String hidden, String residual, String weight, String prefix) {
        return addAndNorm(graph, hidden, residual, weight, prefix, prefix + "sum");
    }

    /** A copy: for the checkpoint's own, the session would keep the file mapped. */
    private static String vector(OnnxGraph graph, Weight weight) {
        try {
            return graph.constant(weight.name(), FloatBuffer.wrap(WeightRows.vector(weight)));
        } catch (CheckpointException e) {
            throw new ForwardException("cannot read weights: " + e.getMessage(), e);
        }
    }

    /** RMS norm of hidden + residual, and that sum; without a residual the sum is hidden itself. */
    private String[] addAndNorm(
            OnnxGraph graph,
            String hidden,
            String residual,
            String weight,
            String prefix,
            String sum) {
        String scale = vector(graph, weights.apply(weight));
        String normed = prefix + "normed";
        if (residual.isEmpty()) {
            graph.node(
                    ONNX,
                    "SimplifiedLayerNormalization",
                    normed,
                    List.of(hidden, scale),
                    attribute("epsilon", config.rmsNormEps()),
                    attribute("axis", -1L),
                    attribute("stash_type", 1L));
            return new String[] {normed, hidden};
        }
        graph.node(
                MICROSOFT,
                "SkipSimplifiedLayerNormalization",
                List.of(normed, "", "", sum),
                List.of(hidden, residual, scale),
                attribute("epsilon", config.rmsNormEps()));
        return new String[] {normed, sum};
    }

    /** down(silu(gate(x)) * up(x)). */
    private String mlp(OnnxGraph graph, String normed, LlamaTensors.Layer names) {
        String gate = products.multiply(graph, normed, List.of(names.gate()), "gate");
        String up = products.multiply(graph, normed, List.of(names.up()), "up");
        String silu =
                graph.node(MICROSOFT, "QuickGelu", "silu", List.of(gate), attribute("alpha", 1f));
        String gated = graph.node(ONNX, "Mul", "gated", List.of(silu, up));
        return products.multiply(graph, gated, List.of(names.down()), "mlp_output");
    }
}
