package io.layerskip.forward;

import ai.onnx.proto.OnnxMl.AttributeProto;
import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.OperatorSetIdProto;
import ai.onnx.proto.OnnxMl.StringStringEntryProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import ai.onnx.proto.OnnxMl.TensorShapeProto;
import ai.onnx.proto.OnnxMl.TypeProto;
import ai.onnx.proto.OnnxMl.ValueInfoProto;
import io.layerskip.model.Weight;
import io.layerskip.model.WeightType;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.List;

/**
 * Writes an ONNX model node by node; values are named by strings, as in the format.
 *
 * <p>Matrices are only declared, as lying in a file: a graph is small whatever the model's size.
 */
final class OnnxGraph {

    /** Domain of ONNX's own operators. */
    static final String ONNX = "";

    /** Domain of ONNX Runtime's contributed operators. */
    static final String MICROSOFT = "com.microsoft";

    /** A dimension that the session learns from what it is fed. */
    static final long DYNAMIC = -1;

    private static final int IR_VERSION = 10;
    private static final int ONNX_OPSET = 21;

    private final GraphProto.Builder graph = GraphProto.newBuilder();
    private long externalBytes;

    OnnxGraph(String name) {
        graph.setName(name);
    }

    String input(String name, TensorProto.DataType type, long... shape) {
        graph.addInput(valueInfo(name, type, shape));
        return name;
    }

    void output(String name, TensorProto.DataType type, long... shape) {
        graph.addOutput(valueInfo(name, type, shape));
    }

    /** Declares a tensor whose data lies in a file; locations count from the file system's root. */
    String external(
            String name,
            TensorProto.DataType type,
            List<Long> shape,
            Path file,
            long offset,
            long length) {
        graph.addInitializer(
                TensorProto.newBuilder()
                        .setName(name)
                        .setDataType(type.getNumber())
                        .addAllDims(shape)
                        .setDataLocation(TensorProto.DataLocation.EXTERNAL)
                        .addExternalData(entry("location", location(file)))
                        .addExternalData(entry("offset", Long.toString(offset)))
                        .addExternalData(entry("length", Long.toString(length))));
        externalBytes += length;
        return name;
    }

    /** Declares a checkpoint's tensor, converted to float32 while the session is built. */
    String float32(Weight weight) {
        String declared =
                external(
                        weight.name(),
                        switch (weight.type()) {
                            case F32 -> TensorProto.DataType.FLOAT;
                            case F16 -> TensorProto.DataType.FLOAT16;
                            case BF16 -> TensorProto.DataType.BFLOAT16;
                        },
                        weight.shape(),
                        weight.file(),
                        weight.offset(),
                        weight.length());
        if (weight.type() == WeightType.F32) {
            return declared;
        }
        return node(
                ONNX,
                "Cast",
                weight.name() + ".float32",
                List.of(declared),
                attribute("to", (long) TensorProto.DataType.FLOAT.getNumber()));
    }

    /** Adds numbers [length] to the model itself: no file is mapped for them. */
    String constant(String name, FloatBuffer values) {
        TensorProto.Builder tensor =
                TensorProto.newBuilder()
                        .setName(name)
                        .setDataType(TensorProto.DataType.FLOAT.getNumber())
                        .addDims(values.remaining());
        while (values.hasRemaining()) {
            tensor.addFloatData(values.get());
        }
        graph.addInitializer(tensor);
        return name;
    }

    /** One tensor after the other, along the first dimension. */
    String stack(List<String> tensors, String output) {
        return tensors.size() == 1
                ? tensors.get(0)
                : node(ONNX, "Concat", output, tensors, attribute("axis", 0L));
    }

    /** A single number. */
    String constant(String name, float value) {
        graph.addInitializer(
                TensorProto.newBuilder()
                        .setName(name)
                        .setDataType(TensorProto.DataType.FLOAT.getNumber())
                        .addFloatData(value));
        return name;
    }

    /** A single unsigned byte. */
    String constant(String name, byte value) {
        graph.addInitializer(
                TensorProto.newBuilder()
                        .setName(name)
                        .setDataType(TensorProto.DataType.UINT8.getNumber())
                        .addInt32Data(Byte.toUnsignedInt(value)));
        return name;
    }

    /** A list of one number. */
    String constant(String name, long value) {
        graph.addInitializer(
                TensorProto.newBuilder()
                        .setName(name)
                        .setDataType(TensorProto.DataType.INT64.getNumber())
                        .addDims(1)
                        .addInt64Data(value));
        return name;
    }

    /** Whether a node writes that value. */
    boolean has(String value) {
        return graph.getNodeList().stream().anyMatch(node -> node.getOutputList().contains(value));
    }

    /** Adds a node with one output, which it returns; an empty input name leaves that input out. */
    String node(
            String domain,
            String operator,
            String output,
            List<String> inputs,
            AttributeProto... attributes) {
        node(domain, operator, List.of(output), inputs, attributes);
        return output;
    }

    void node(
            String domain,
            String operator,
            List<String> outputs,
            List<String> inputs,
            AttributeProto... attributes) {
        graph.addNode(
                NodeProto.newBuilder()
                        .setDomain(domain)
                        .setOpType(operator)
                        .setName(outputs.get(0))
                        .addAllInput(inputs)
                        .addAllOutput(outputs)
                        .addAllAttribute(List.of(attributes)));
    }

    /** The model in ONNX's protobuf encoding. */
    byte[] toBytes() {
        return ModelProto.newBuilder()
                .setIrVersion(IR_VERSION)
                .setProducerName("flink-layerskip")
                .addOpsetImport(
                        OperatorSetIdProto.newBuilder().setDomain(ONNX).setVersion(ONNX_OPSET))
                .addOpsetImport(OperatorSetIdProto.newBuilder().setDomain(MICROSOFT).setVersion(1))
                .setGraph(graph)
                .build()
                .toByteArray();
    }

    /** Bytes that the model reads from files. */
    long externalBytes() {
        return externalBytes;
    }

    static AttributeProto attribute(String name, long value) {
        return AttributeProto.newBuilder()
                .setName(name)
                .setType(AttributeProto.AttributeType.INT)
                .setI(value)
                .build();
    }

    static AttributeProto attribute(String name, float value) {
        return AttributeProto.newBuilder()
                .setName(name)
                .setType(AttributeProto.AttributeType.FLOAT)
                .setF(value)
                .build();
    }

    static AttributeProto attribute(String name, long[] values) {
        AttributeProto.Builder attribute =
                AttributeProto.newBuilder()
                        .setName(name)
                        .setType(AttributeProto.AttributeType.INTS);
        for (long value : values) {
            attribute.addInts(value);
        }
        return attribute.build();
    }

    private static String location(Path file) {
        return file.getRoot().relativize(file).toString().replace('\\', '/');
    }

    private static StringStringEntryProto entry(String key, String value) {
        return StringStringEntryProto.newBuilder().setKey(key).setValue(value).build();
    }

    private static ValueInfoProto valueInfo(String name, TensorProto.DataType type, long... shape) {
        TensorShapeProto.Builder dimensions = TensorShapeProto.newBuilder();
        for (int i = 0; i < shape.length; i++) {
            TensorShapeProto.Dimension.Builder dimension = dimensions.addDimBuilder();
            if (shape[i] == DYNAMIC) {
                dimension.setDimParam(name + "_" + i);
            } else {
                dimension.setDimValue(shape[i]);
            }
        }
        return ValueInfoProto.newBuilder()
                .setName(name)
                .setType(
                        TypeProto.newBuilder()
                                .setTensorType(
                                        TypeProto.Tensor.newBuilder()
                                                .setElemType(type.getNumber())
                                                .setShape(dimensions)))
                .build();
    }
}
