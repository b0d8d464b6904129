package io.layerskip.forward;

import static io.layerskip.forward.OnnxGraph.ONNX;
import static io.layerskip.forward.OnnxGraph.attribute;

import io.layerskip.model.LlamaTensors;
import io.layerskip.model.ModelConfig;
import io.layerskip.model.Weight;
import java.util.List;
import java.util.function.Function;

/**
 * Products in float32, with the checkpoint's own tensors. They are transposed to [in, out], which
 * is how MatMul reads them, while the session is built.
 */
final class Float32Products implements MatrixProducts {

    private final Function<String, Weight> weights;

    /**
     * @param weights the checkpoint's tensors by name
     */
    Float32Products(Function<String, Weight> weights) {
        this.weights = weights;
    }

    /** Bytes that a model's matrices take. */
    static long bytes(ModelConfig config) {
        return LlamaTensors.matrices(config).values().stream()
                .mapToLong(shape -> shape.get(0) * shape.get(1) * Float.BYTES)
                .sum();
    }

    @Override
    public String multiply(OnnxGraph graph, String input, List<String> parts, String output) {
        List<String> stack =
                parts.stream().map(part -> graph.float32(weights.apply(part))).toList();
        String transposed =
                graph.node(
                        ONNX,
                        "Transpose",
                        output + ".transposed",
                        List.of(graph.stack(stack, output + ".stacked")),
                        attribute("perm", new long[] {1, 0}));
        return graph.node(ONNX, "MatMul", output, List.of(input, transposed));
    }
}
