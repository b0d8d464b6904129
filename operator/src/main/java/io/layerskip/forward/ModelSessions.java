package io.layerskip.forward;

import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
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

    private final int threads;
    private final Path root;
    private final Optional<QuantizedWeights> quantized;
    private final OnnxGraphs graphs;

    private ModelSessions(
            Checkpoint checkpoint,
            int threads,
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
     * @param threads that compute one pass, at least 1
     * @throws IOException if quantized weights cannot be made or written
     */
    static ModelSessions open(
            Checkpoint checkpoint, Precision precision, Optional<Path> cacheFolder, int threads)
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
    SessionRun attentionInput(int layer) {
        return session(graphs.attentionInput(layer));
    }

    /** See {@link OnnxGraphs#betweenAttentions}. */
    SessionRun betweenAttentions(int layer) {
        return session(graphs.betweenAttentions(layer));
    }

    /** See {@link OnnxGraphs#attentionOutput}. */
    SessionRun attentionOutput(int layer) {
        return session(graphs.attentionOutput(layer));
    }

    /** Final norm and language model head; see {@link OnnxGraphs#head}. */
    SessionRun head() {
        return session(graphs.head());
    }

    private SessionRun session(byte[] graph) {
        try (SessionOptions options = new SessionOptions()) {
            options.setIntraOpNumThreads(threads);
            options.setInterOpNumThreads(1);
            // One session runs at a time; the others' threads must leave the cores to it.
            options.addConfigEntry("session.force_spinning_stop", "1");
            options.addConfigEntry(
                    "session.model_external_initializers_file_folder_path", root.toString());
            return new SessionRun(OrtEnvironment.getEnvironment().createSession(graph, options));
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
