package io.layerskip.model;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.OrtSession.SessionOptions;
import java.util.Map;

/**
 * ONNX Runtime sessions over a checkpoint, and tensors in ONNX Runtime's own memory.
 *
 * <p>A session reads its weights from the checkpoint's files, which it maps: a graph declares each
 * as lying at an offset of such a file. While the session is built, ONNX Runtime converts, stacks
 * and transposes them once (constant folding), packs the matrices for its kernels, and drops what
 * it packed. So of every matrix one float32 copy stays, in one session; the mapping is only read.
 * Until a session stands it needs room for a second copy of its own weights.
 */
public final class ModelSessions {

    private final OrtEnvironment environment;
    private final Checkpoint checkpoint;
    private final OnnxGraphs graphs;
    private final int threads;

    /**
     * @param threads that compute one pass, at least 1
     */
    public ModelSessions(OrtEnvironment environment, Checkpoint checkpoint, int threads) {
        this.environment = environment;
        this.checkpoint = checkpoint;
        this.graphs = new OnnxGraphs(checkpoint.config(), checkpoint::weight);
        this.threads = threads;
    }

    /** Decoder layers [from, to); see {@link OnnxGraphs#layers}. */
    public OrtSession layers(int from, int to) throws OrtException {
        return session(graphs.layers(from, to));
    }

    /** Final norm and language model head; see {@link OnnxGraphs#head}. */
    public OrtSession head() throws OrtException {
        return session(graphs.head());
    }

    /**
     * The rotary embedding's tables: cos and sin, each [positions, head width / 2].
     *
     * @param positions from 0, at least 1
     */
    public RotaryTables rotaryTables(int positions) throws OrtException {
        try (SessionOptions options = TensorAllocator.unpooled();
                OrtSession session = environment.createSession(graphs.rotary(positions), options)) {
            OrtSession.Result tables = session.run(Map.of());
            return new RotaryTables(
                    (OnnxTensor) tables.get(OnnxGraphs.COS).orElseThrow(),
                    (OnnxTensor) tables.get(OnnxGraphs.SIN).orElseThrow());
        }
    }

    /** Allocates in the memory that the sessions use. */
    public TensorAllocator allocator() throws OrtException {
        return new TensorAllocator(environment);
    }

    private OrtSession session(byte[] graph) throws OrtException {
        try (SessionOptions options = new SessionOptions()) {
            options.setIntraOpNumThreads(threads);
            options.setInterOpNumThreads(1);
            // One session runs at a time; the others' threads must leave the cores to it.
            options.addConfigEntry("session.force_spinning_stop", "1");
            options.addConfigEntry(
                    "session.model_external_initializers_file_folder_path",
                    checkpoint.folder().toAbsolutePath().getRoot().toString());
            return environment.createSession(graph, options);
        }
    }

    /**
     * The rotary embedding's tables.
     *
     * @param cos [positions, head width / 2]
     * @param sin [positions, head width / 2]
     */
    public record RotaryTables(OnnxTensor cos, OnnxTensor sin) implements AutoCloseable {

        @Override
        public void close() {
            cos.close();
            sin.close();
        }
    }
}
