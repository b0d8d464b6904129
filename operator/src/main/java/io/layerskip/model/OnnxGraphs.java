package io.layerskip.model;

import static io.layerskip.model.OnnxGraph.DYNAMIC;
import static io.layerskip.model.OnnxGraph.MICROSOFT;
import static io.layerskip.model.OnnxGraph.ONNX;
import static io.layerskip.model.OnnxGraph.attribute;

import ai.onnx.proto.OnnxMl.TensorProto.DataType;
import java.util.List;
import java.util.function.Function;

/**
 * The ONNX graphs of a Llama decoder, cut at the exit layers.
 *
 * <pre>
 *   layers [from, to)   hidden [1, tokens, hidden] + key/value cache  ->  hidden [1, tokens, hidden]
 *   head                hidden [1, tokens, hidden]                    ->  logits [1, tokens, vocab]
 * </pre>
 *
 * The cache tensors are [1, key/value heads, capacity, head width]; a graph writes the new tokens'
 * keys and values behind the past ones. Past and present are the same tensor when the caller binds
 * them so, and then nothing is copied. Embedding rows are looked up outside the graphs: a copy of a
 * row needs no operator, and a tied embedding then belongs to the head alone.
 *
 * <p>Weights are transposed to [in, out], which is how MatMul reads them; query, key and value are
 * one matrix.
 */
public final class OnnxGraphs {

    public static final String HIDDEN = "hidden";
    public static final String HIDDEN_OUT = "hidden_out";
    public static final String LOGITS = "logits";
    public static final String LAST_POSITION = "seqlens_k";
    public static final String TOTAL_SEQUENCE_LENGTH = "total_sequence_length";
    public static final String COS = "cos_cache";
    public static final String SIN = "sin_cache";
    static final String SHAPE = "shape";
    static final String TENSOR = "tensor";

    private final ModelConfig config;
    private final Function<String, Weight> weights;

    /**
     * @param weights the checkpoint's tensors by name
     */
    OnnxGraphs(ModelConfig config, Function<String, Weight> weights) {
        this.config = config;
        this.weights = weights;
    }

    public static String pastKey(int layer) {
        return "past_key." + layer;
    }

    public static String pastValue(int layer) {
        return "past_value." + layer;
    }

    public static String presentKey(int layer) {
        return "present_key." + layer;
    }

    public static String presentValue(int layer) {
        return "present_value." + layer;
    }

    /**
     * Decoder layers [from, to); read and written in place where past and present are bound to the
     * same tensor.
     */
    byte[] layers(int from, int to) {
        OnnxGraph graph = new OnnxGraph("layers_" + from + "_" + to);
        int hiddenSize = config.hiddenSize();
        String hidden = graph.input(HIDDEN, DataType.FLOAT, 1, DYNAMIC, hiddenSize);
        graph.input(LAST_POSITION, DataType.INT32, 1);
        graph.input(TOTAL_SEQUENCE_LENGTH, DataType.INT32);
        graph.input(COS, DataType.FLOAT, DYNAMIC, config.headDim() / 2);
        graph.input(SIN, DataType.FLOAT, DYNAMIC, config.headDim() / 2);

        String residual = "";
        for (int layer = from; layer < to; layer++) {
            LlamaTensors.Layer names = LlamaTensors.layer(layer);
            String prefix = "layer" + layer + ".";
            String[] normed = addAndNorm(graph, hidden, residual, names.inputNorm(), prefix + "1.");
            String attention = attention(graph, normed[0], names, layer, prefix);
            normed = addAndNorm(graph, normed[1], attention, names.mlpNorm(), prefix + "2.");
            hidden = normed[1];
            residual = mlp(graph, normed[0], names, prefix);
        }
        graph.node(ONNX, "Add", HIDDEN_OUT, List.of(hidden, residual));
        graph.output(HIDDEN_OUT, DataType.FLOAT, 1, DYNAMIC, hiddenSize);
        return graph.toBytes();
    }

    /** Final norm and language model head. */
    byte[] head() {
        OnnxGraph graph = new OnnxGraph("head");
        String hidden = graph.input(HIDDEN, DataType.FLOAT, 1, DYNAMIC, config.hiddenSize());
        String normed = addAndNorm(graph, hidden, "", LlamaTensors.FINAL_NORM, "final.")[0];
        String head = config.tieWordEmbeddings() ? LlamaTensors.EMBEDDING : LlamaTensors.HEAD;
        matMul(graph, normed, List.of(head), LOGITS);
        graph.output(LOGITS, DataType.FLOAT, 1, DYNAMIC, config.vocabSize());
        return graph.toBytes();
    }

    /** The rotary tables of positions [0, positions): cos and sin of position x frequency. */
    byte[] rotary(int positions) {
        OnnxGraph graph = new OnnxGraph("rotary");
        float[] frequencies = config.rope().inverseFrequencies(config.headDim());
        String range =
                graph.node(
                        ONNX,
                        "Range",
                        "positions",
                        List.of(
                                graph.constant("first", 0f),
                                graph.constant("end", (float) positions),
                                graph.constant("step", 1f)));
        String column =
                graph.node(ONNX, "Unsqueeze", "column", List.of(range, graph.constant("axis", 1L)));
        String angles =
                graph.node(
                        ONNX,
                        "Mul",
                        "angles",
                        List.of(column, graph.constant("frequencies", frequencies)));
        graph.node(ONNX, "Cos", COS, List.of(angles));
        graph.node(ONNX, "Sin", SIN, List.of(angles));
        graph.output(COS, DataType.FLOAT, positions, frequencies.length);
        graph.output(SIN, DataType.FLOAT, positions, frequencies.length);
        return graph.toBytes();
    }

    /** A tensor of zeros of the shape that is fed, which has four dimensions. */
    static byte[] zeros() {
        OnnxGraph graph = new OnnxGraph("zeros");
        graph.output(zeros(graph), DataType.FLOAT, DYNAMIC, DYNAMIC, DYNAMIC, DYNAMIC);
        return graph.toBytes();
    }

    /** A tensor and, along its third dimension, zeros of the shape that is fed. */
    static byte[] extension() {
        OnnxGraph graph = new OnnxGraph("extension");
        String tensor = graph.input(TENSOR, DataType.FLOAT, DYNAMIC, DYNAMIC, DYNAMIC, DYNAMIC);
        graph.node(
                ONNX, "Concat", "extended", List.of(tensor, zeros(graph)), attribute("axis", 2L));
        graph.output("extended", DataType.FLOAT, DYNAMIC, DYNAMIC, DYNAMIC, DYNAMIC);
        return graph.toBytes();
    }

    private static String zeros(OnnxGraph graph) {
        String shape = graph.input(SHAPE, DataType.INT64, 4);
        return graph.node(ONNX, "ConstantOfShape", "zeros", List.of(shape));
    }

    /** RMS norm of hidden + residual, and that sum; without a residual the sum is hidden itself. */
    private String[] addAndNorm(
            OnnxGraph graph, String hidden, String residual, String weight, String prefix) {
        String scale = float32(graph, weight);
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
        String sum = prefix + "sum";
        graph.node(
                MICROSOFT,
                "SkipSimplifiedLayerNormalization",
                List.of(normed, "", "", sum),
                List.of(hidden, residual, scale),
                attribute("epsilon", config.rmsNormEps()));
        return new String[] {normed, sum};
    }

    private String attention(
            OnnxGraph graph, String normed, LlamaTensors.Layer names, int layer, String prefix) {
        long[] cache = {1, config.numKeyValueHeads(), DYNAMIC, config.headDim()};
        String qkv =
                matMul(
                        graph,
                        normed,
                        List.of(names.query(), names.key(), names.value()),
                        prefix + "qkv");
        String attended = prefix + "attended";
        graph.node(
                MICROSOFT,
                "GroupQueryAttention",
                List.of(attended, presentKey(layer), presentValue(layer)),
                List.of(
                        qkv,
                        "",
                        "",
                        graph.input(pastKey(layer), DataType.FLOAT, cache),
                        graph.input(pastValue(layer), DataType.FLOAT, cache),
                        LAST_POSITION,
                        TOTAL_SEQUENCE_LENGTH,
                        COS,
                        SIN),
                attribute("num_heads", (long) config.numAttentionHeads()),
                attribute("kv_num_heads", (long) config.numKeyValueHeads()),
                attribute("do_rotary", 1L));
        graph.output(presentKey(layer), DataType.FLOAT, cache);
        graph.output(presentValue(layer), DataType.FLOAT, cache);
        return matMul(
                graph, attended, List.of(names.attentionOutput()), prefix + "attention_output");
    }

    /** down(silu(gate(x)) * up(x)). */
    private String mlp(OnnxGraph graph, String normed, LlamaTensors.Layer names, String prefix) {
        String gate = matMul(graph, normed, List.of(names.gate()), prefix + "gate");
        String up = matMul(graph, normed, List.of(names.up()), prefix + "up");
        String silu =
                graph.node(
                        MICROSOFT,
                        "QuickGelu",
                        prefix + "silu",
                        List.of(gate),
                        attribute("alpha", 1f));
        String gated = graph.node(ONNX, "Mul", prefix + "gated", List.of(silu, up));
        return matMul(graph, gated, List.of(names.down()), prefix + "mlp_output");
    }

    private String matMul(OnnxGraph graph, String input, List<String> parts, String output) {
        List<String> stack = parts.stream().map(part -> float32(graph, part)).toList();
        String stacked = stack.get(0);
        if (stack.size() > 1) {
            stacked = graph.node(ONNX, "Concat", output + ".stacked", stack, attribute("axis", 0L));
        }
        String transposed =
                graph.node(
                        ONNX,
                        "Transpose",
                        output + ".transposed",
                        List.of(stacked),
                        attribute("perm", new long[] {1, 0}));
        return graph.node(ONNX, "MatMul", output, List.of(input, transposed));
    }

    private String float32(OnnxGraph graph, String name) {
        Weight weight = weights.apply(name);
        String declared =
                graph.external(
                        name,
                        switch (weight.type()) {
                            case F32 -> DataType.FLOAT;
                            case F16 -> DataType.FLOAT16;
                            case BF16 -> DataType.BFLOAT16;
                        },
                        weight.shape(),
                        weight.file(),
                        weight.offset(),
                        weight.length());
        if (weight.type() == WeightType.F32) {
            return declared;
        }
        return graph.node(
                ONNX,
                "Cast",
                name + ".float32",
                List.of(declared),
                attribute("to", (long) DataType.FLOAT.getNumber()));
    }
}
