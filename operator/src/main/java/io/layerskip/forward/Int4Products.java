package io.layerskip.forward;

import static io.layerskip.forward.OnnxGraph.MICROSOFT;
import static io.layerskip.forward.OnnxGraph.attribute;

import java.util.List;

/**
 * Products with weights of 4 bits in blocks, by ONNX Runtime's MatMulNBits, which rounds
 * activations to int8 in blocks of a row.
 */
final class Int4Products implements MatrixProducts {

    private static final long INT8_ACTIVATIONS = 4;

    private final QuantizedWeights weights;

    Int4Products(QuantizedWeights weights) {
        this.weights = weights;
    }

    @Override
    public String multiply(OnnxGraph graph, String input, List<String> parts, String output) {
        QuantizedWeights.Matrix matrix = weights.matrix(parts);
        return graph.node(
                MICROSOFT,
                "MatMulNBits",
                output,
                List.of(input, matrix.declareValues(graph), matrix.addScales(graph)),
                attribute("K", matrix.inputs()),
                attribute("N", matrix.outputs()),
                attribute("bits", 4L),
                attribute("block_size", (long) WeightFormat.BLOCK),
                attribute("accuracy_level", INT8_ACTIVATIONS));
    }
}
