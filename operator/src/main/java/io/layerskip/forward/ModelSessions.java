package io.layerskip.forward;

import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.OrtSession.SessionOptions;
import io.layerskip.model.Checkpoint;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;

/**
 * ONNX Runtime sessions over a checkpoint.
 *
 * <p>A session reads its weights from the checkpoint's files, which it maps, or from the file of
 * {@link QuantizedWeights}: a graph declares each as lying at an offset of such a file. While the
 * session is built, ONNX Runtime converts, stacks and transposes them once (constant folding),
 * packs the matrices for its kernels, and drops what it packed. So of every matrix one copy stays,
 * in one session; the mapping is only read. Until a session stands it needs room for a second copy
 * of its own weights.
 *
 * <p>Close it when the sessions are built; they live on.
 */
final class ModelSessions implements AutoCloseable {

    private final PassThreads threads;
    private final Path root;
    private final Optional<QuantizedWeights> quantized;
    private final OnnxGraphs graphs;

    private ModelSessions(
            Checkpoint checkpoint,
            PassThreads threads,
            Optional<QuantizedWeights> quantized,
            MatrixProducts products,
            MatrixProducts headProducts) {
        this.threads = threads;
        this.root = checkpoint.folder().toAbsolutePath().getRoot();
        this.quantized = quantized;
        this.graphs =
                new OnnxGraphs(checkpoint.config(), checkpoint::weight, products, headProducts);
    }

    /**
     * Prepares to build sessions, which for quantized weights means to make or find them.
     *
     * @param cacheFolder keeps quantized weights for the next time
     * @throws IOException if quantized weights cannot be made or written
     */
    static ModelSessions open(
            Checkpoint checkpoint,
            Precision precision,
            Optional<Path> cacheFolder,
            PassThreads threads)
            throws IOException {
        if (precision == Precision.FP32) {
            MatrixProducts products = new Float32Products(checkpoint::weight);
            return new ModelSessions(checkpoint, threads, Optional.empty(), products, products);
        }
        QuantizedWeights weights = QuantizedWeights.open(checkpoint, precision, cacheFolder);
        MatrixProducts headProducts = new Int8Products(weights);
        return new ModelSessions(
                checkpoint,
                threads,
                Optional.of(weights),
                precision == Precision.INT4 ? new Int4Products(weights) : headProducts,
                headProducts);
    }

    /** See {@link OnnxGraphs#attentionInput}. */
    OrtSession attentionInput(int layer) {
        return session(graphs.attentionInput(layer));
    }

    /** See {@link OnnxGraphs#betweenAttentions}. */
    OrtSession betweenAttentions(int layer) {
        return session(graphs.betweenAttentions(layer));
    }

    /** See {@link OnnxGraphs#attentionOutput}. */
    OrtSession attentionOutput(int layer) {
        return session(graphs.attentionOutput(layer));
    }

    /** Final norm and language model head; see {@link OnnxGraphs#head}. */
    OrtSession head() {
        return session(graphs.head());
    }

    private OrtSession session(byte[] graph) {
        try (SessionOptions options = new SessionOptions()) {
            threads.configure(options);
            // A session's arena would keep what its largest pass took, times the models that share
            // it; malloc, which all sessions share, does not.
            options.setCPUArenaAllocator(false);
            options.addConfigEntry(
                    "session.model_external_initializers_file_folder_path", root.toString());
            return OrtEnvironment.getEnvironment().createSession(graph, options);
        } catch (OrtException e) {
            throw new ForwardException("cannot build a session: " + e.getMessage(), e);
        }
    }

    @Override
    public void close() throws IOException {
        if (quantized.isPresent()) {
            quantized.get().close();
        }
    }
}
