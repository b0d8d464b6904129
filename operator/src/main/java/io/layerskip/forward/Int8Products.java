package io.layerskip.forward;

import static io.layerskip.forward.OnnxGraph.MICROSOFT;
import static io.layerskip.forward.OnnxGraph.ONNX;

import java.util.List;

/**
 * Products in int8: y = (round(x / s) W) s t, with a scale s for each row of x, its greatest
 * magnitude / 127, and a scale t for each output, as in LLM.int8() (Dettmers et al., 2022, section
 * 2.1, vector-wise quantization). Sums are integers, so a row has the same result in a pass of any
 * size and, as weights are {@link BytePairs}, on every processor.
 */
final class Int8Products implements MatrixProducts {

    private static final int LEVELS = 127;

    /** ONNX Runtime has fast kernels for unsigned activations and signed weights. */
    private static final int ZERO_POINT = 128;

    private final QuantizedWeights weights;

    Int8Products(QuantizedWeights weights) {
        this.weights = weights;
    }

    @Override
    public String multiply(OnnxGraph graph, String input, List<String> parts, String output) {
        Rounded rounded = new Rounded(input);
        if (!graph.has(rounded.values())) {
            rounded.addTo(graph);
        }
        QuantizedWeights.Matrix matrix = weights.matrix(parts);
        String product =
                graph.node(
                        MICROSOFT,
                        "MatMulIntegerToFloat",
                        output + ".product",
                        List.of(
                                rounded.values(),
                                matrix.declareValues(graph),
                                rounded.step(),
                                matrix.addScales(graph),
                                rounded.zeroPoint()));
        return graph.node(ONNX, "Mul", output, List.of(product, rounded.greatest()));
    }

    /** The names of an input's rows as integers: x = (values - zero point) step greatest. */
    private record Rounded(String input) {

        /** uint8 [1, tokens, in]. */
        String values() {
            return input + ".rounded";
        }

        /** The greatest magnitude of each row, float32 [1, tokens, 1]. */
        String greatest() {
            return input + ".greatest";
        }

        String step() {
            return input + ".step";
        }

        String zeroPoint() {
            return input + ".zero_point";
        }

        void addTo(OnnxGraph graph) {
            String magnitudes = graph.node(ONNX, "Abs", input + ".magnitudes", List.of(input));
            String axis = graph.constant(input + ".axis", -1L);
            graph.node(ONNX, "ReduceMax", greatest(), List.of(magnitudes, axis));
            // Of a row of zeros, this makes NaN, then some integer; the greatest, 0, makes 0 of it.
            String scaled = graph.node(ONNX, "Div", input + ".scaled", List.of(input, greatest()));
            graph.constant(step(), 1f / LEVELS);
            graph.constant(zeroPoint(), (byte) ZERO_POINT);
            graph.node(ONNX, "QuantizeLinear", values(), List.of(scaled, step(), zeroPoint()));
        }
    }
}
