package io.layerskip.model;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.OrtSession.SessionOptions;
import java.util.Map;

/**
 * Allocates tensors in ONNX Runtime's memory.
 *
 * <p>A cache of many sequences would not fit what a JVM may hold in direct buffers: a Flink
 * TaskManager's limit leaves user code next to nothing.
 */
public final class TensorAllocator implements AutoCloseable {

    private final OrtEnvironment environment;
    private final OrtSession zeros;
    private final OrtSession extension;

    TensorAllocator(OrtEnvironment environment) throws OrtException {
        this.environment = environment;
        try (SessionOptions options = unpooled()) {
            this.zeros = environment.createSession(OnnxGraphs.zeros(), options);
            this.extension = environment.createSession(OnnxGraphs.extension(), options);
        }
    }

    /** Without the arena, closing a tensor gives its memory back to the system. */
    static SessionOptions unpooled() throws OrtException {
        SessionOptions options = new SessionOptions();
        options.setIntraOpNumThreads(1);
        options.setCPUArenaAllocator(false);
        return options;
    }

    /**
     * A new float32 tensor of zeros; the caller closes it.
     *
     * @throws OrtException if there is not enough memory
     */
    public OnnxTensor zeros(long... shape) throws OrtException {
        try (OnnxTensor dimensions = OnnxTensor.createTensor(environment, shape)) {
            return (OnnxTensor) zeros.run(Map.of(OnnxGraphs.SHAPE, dimensions)).get(0);
        }
    }

    /**
     * A copy of a tensor with zeros behind it along the third of its four dimensions; the caller
     * closes both.
     *
     * @param shape of the zeros
     * @throws OrtException if there is not enough memory
     */
    public OnnxTensor extended(OnnxTensor tensor, long... shape) throws OrtException {
        try (OnnxTensor dimensions = OnnxTensor.createTensor(environment, shape)) {
            Map<String, OnnxTensor> inputs =
                    Map.of(OnnxGraphs.TENSOR, tensor, OnnxGraphs.SHAPE, dimensions);
            return (OnnxTensor) extension.run(inputs).get(0);
        }
    }

    @Override
    public void close() throws OrtException {
        try (zeros) {
            extension.close();
        }
    }
}
