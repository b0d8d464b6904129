package io.layerskip.forward;

import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.OrtSession.SessionOptions;
import io.layerskip.model.Checkpoint;
import io.layerskip.model.LlamaTensors;
import io.layerskip.model.Weight;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;

/**
 * ONNX Runtime sessions over a checkpoint.
 *
 * <p>A session reads its weights from the checkpoint's files, which it maps, or from the file of
 * {@link QuantizedWeights}: a graph declares each as lying at an offset of such a file. While the
 * session is built, ONNX Runtime converts, stacks and transposes the checkpoint's own once
 * (constant folding), packs all matrices for its kernels, and drops what it packed. So of every
 * matrix one copy stays, in one session; the mapping is only read. Until a session stands it needs
 * room for a second copy of its own weights, if those are the checkpoint's; so few are built at a
 * time.
 *
 * <p>The packed form cannot be kept: ONNX Runtime can write it to a file (its option {@code
 * session.save_external_prepacked_constant_initializers}), but packs again all the same when it
 * reads that.
 *
 * <p>Close it when the sessions are built; those that were taken live on.
 */
final class ModelSessions implements AutoCloseable {

    /** Each may need room for a second copy of its session's weights. */
    private static final int MAX_BUILDERS = 4;

    private static final String HEAD = "head";
    private static final String ATTENTION_INPUT = "attention_input_";
    private static final String BETWEEN_ATTENTIONS = "between_attentions_";
    private static final String ATTENTION_OUTPUT = "attention_output_";

    private final PassThreads threads;
    private final Path root;
    private final Optional<QuantizedWeights> quantized;
    private final OnnxGraphs graphs;

    /** What all sessions together read from files. */
    private final long matrixBytes;

    private final Map<String, OrtSession> built = new ConcurrentHashMap<>();

    private ModelSessions(
            Checkpoint checkpoint,
            PassThreads threads,
            Optional<QuantizedWeights> quantized,
            MatrixProducts products,
            MatrixProducts headProducts) {
        this.threads = threads;
        this.root = checkpoint.folder().toAbsolutePath().getRoot();
        this.quantized = quantized;
        this.matrixBytes =
                quantized
                        .map(QuantizedWeights::valueBytes)
                        .orElseGet(
                                () ->
                                        LlamaTensors.matrices(checkpoint.config()).keySet().stream()
                                                .map(checkpoint::weight)
                                                .mapToLong(Weight::length)
                                                .sum());
        this.graphs =
                new OnnxGraphs(checkpoint.config(), checkpoint::weight, products, headProducts);
    }

    /**
     * Prepares to build sessions, which for quantized weights means to make or find them.
     *
     * @param cacheFolder keeps quantized weights for the next time
     * @throws java.io.InterruptedIOException if the thread is interrupted
     * @throws IOException if quantized weights cannot be made or written
     */
    static ModelSessions open(
            Checkpoint checkpoint,
            Precision precision,
            Optional<Path> cacheFolder,
            PassThreads threads,
            LoadListener listener)
            throws IOException {
        if (precision == Precision.FP32) {
            MatrixProducts products = new Float32Products(checkpoint::weight);
            return new ModelSessions(checkpoint, threads, Optional.empty(), products, products);
        }
        QuantizedWeights weights =
                QuantizedWeights.open(checkpoint, precision, cacheFolder, listener);
        MatrixProducts headProducts = new Int8Products(weights);
        return new ModelSessions(
                checkpoint,
                threads,
                Optional.of(weights),
                precision == Precision.INT4 ? new Int4Products(weights) : headProducts,
                headProducts);
    }

    /**
     * Builds all sessions of a model, side by side, the largest first; then they are only taken.
     *
     * @param cuts the layers that segments end before, in ascending order; the last is the model's
     *     end
     * @throws java.io.InterruptedIOException if the thread is interrupted
     * @throws ForwardException if ONNX Runtime cannot build one
     */
    void build(List<Integer> cuts, LoadListener listener) throws IOException {
        Map<String, Supplier<byte[]>> models = new LinkedHashMap<>();
        models.put(HEAD, graphs::head);
        int from = 0;
        for (int to : cuts) {
            int first = from;
            models.put(ATTENTION_INPUT + first, () -> graphs.attentionInput(first));
            for (int i = from; i < to - 1; i++) {
                int layer = i;
                models.put(BETWEEN_ATTENTIONS + layer, () -> graphs.betweenAttentions(layer));
            }
            models.put(ATTENTION_OUTPUT + (to - 1), () -> graphs.attentionOutput(to - 1));
            from = to;
        }
        LoadProgress progress =
                new LoadProgress(listener, LoadListener.Stage.BUILDING, matrixBytes);
        List<ParallelTasks.Task> tasks = new ArrayList<>();
        models.forEach(
                (name, graph) ->
                        tasks.add(
                                () -> {
                                    byte[] model = graph.get();
                                    built.put(name, session(model));
                                    progress.add(OnnxGraph.externalBytes(model));
                                }));
        ParallelTasks.run(
                Math.min(MAX_BUILDERS, Runtime.getRuntime().availableProcessors()), tasks);
    }

    /** See {@link OnnxGraphs#attentionInput}. */
    OrtSession attentionInput(int layer) {
        return take(ATTENTION_INPUT + layer, () -> graphs.attentionInput(layer));
    }

    /** See {@link OnnxGraphs#betweenAttentions}. */
    OrtSession betweenAttentions(int layer) {
        return take(BETWEEN_ATTENTIONS + layer, () -> graphs.betweenAttentions(layer));
    }

    /** See {@link OnnxGraphs#attentionOutput}. */
    OrtSession attentionOutput(int layer) {
        return take(ATTENTION_OUTPUT + layer, () -> graphs.attentionOutput(layer));
    }

    /** Final norm and language model head; see {@link OnnxGraphs#head}. */
    OrtSession head() {
        return take(HEAD, graphs::head);
    }

    private OrtSession take(String name, Supplier<byte[]> graph) {
        OrtSession session = built.remove(name);
        return session == null ? session(graph.get()) : session;
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
        try {
            for (OrtSession session : built.values()) {
                session.close();
            }
        } catch (OrtException e) {
            throw new ForwardException("cannot free a session: " + e.getMessage(), e);
        } finally {
            built.clear();
            if (quantized.isPresent()) {
                quantized.get().close();
            }
        }
    }
}
