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
import java.util.List;
import java.util.Optional;
import java.util.SortedSet;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.function.Supplier;
import java.util.stream.IntStream;

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

    private final Checkpoint checkpoint;
    private final PassThreads threads;
    private final Path root;
    private final Optional<QuantizedWeights> quantized;
    private final OnnxGraphs graphs;

    /** What all sessions together read from files. */
    private final long matrixBytes;

    private ModelSessions(
            Checkpoint checkpoint,
            PassThreads threads,
            Optional<QuantizedWeights> quantized,
            MatrixProducts products,
            MatrixProducts headProducts) {
        this.checkpoint = checkpoint;
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
     * Builds all sessions of a model, side by side, the largest first.
     *
     * @param ends the layers that segments end before, ascending; the last is the model's end
     * @return the head's, and then for each segment one before each attention and one after the
     *     last; the caller's to close
     * @throws java.io.InterruptedIOException if the thread is interrupted
     * @throws ForwardException if ONNX Runtime cannot build one
     */
    List<OrtSession> build(SortedSet<Integer> ends, LoadListener listener) throws IOException {
        List<Supplier<OnnxGraph>> models = new ArrayList<>();
        models.add(graphs::head);
        int from = 0;
        for (int to : ends) {
            int first = from;
            models.add(() -> graphs.attentionInput(first));
            for (int i = from; i < to - 1; i++) {
                int layer = i;
                models.add(() -> graphs.betweenAttentions(layer));
            }
            models.add(() -> graphs.attentionOutput(to - 1));
            from = to;
        }
        LoadProgress progress =
                new LoadProgress(listener, LoadListener.Stage.BUILDING, matrixBytes);
        AtomicReferenceArray<OrtSession> built = new AtomicReferenceArray<>(models.size());
        List<ParallelTasks.Task> tasks = new ArrayList<>();
        for (int i = 0; i < models.size(); i++) {
            int index = i;
            tasks.add(
                    () -> {
                        OnnxGraph model = models.get(index).get();
                        built.set(index, session(model));
                        progress.add(model.externalBytes());
                    });
        }
        try {
            ParallelTasks.runOnCores(MAX_BUILDERS, tasks);
        } catch (IOException | RuntimeException | Error e) {
            closeAfter(e, built);
            throw e;
        }
        return IntStream.range(0, built.length()).mapToObj(built::get).toList();
    }

    private static void closeAfter(Throwable failure, AtomicReferenceArray<OrtSession> built) {
        for (int i = 0; i < built.length(); i++) {
            try {
                if (built.get(i) != null) {
                    built.get(i).close();
                }
            } catch (OrtException e) {
                failure.addSuppressed(e);
            }
        }
    }

    private OrtSession session(OnnxGraph graph) {
        try (SessionOptions options = new SessionOptions()) {
            threads.configure(options);
            // A session's arena would keep what its largest pass took, times the models that share
            // it; malloc, which all sessions share, does not.
            options.setCPUArenaAllocator(false);
            options.addConfigEntry(
                    "session.model_external_initializers_file_folder_path", root.toString());
            return OrtEnvironment.getEnvironment().createSession(graph.toBytes(), options);
        } catch (OrtException e) {
            throw new ForwardException("cannot build a session: " + e.getMessage(), e);
        }
    }

    /**
     * What drafts are found by; empty where the head itself is as fast. Quantized weights have them
     * in their file, of others they are made.
     *
     * @throws java.io.InterruptedIOException if the thread is interrupted
     * @throws IOException if the file cannot be read
     */
    Optional<HeadCodes> headCodes() throws IOException {
        if (!HeadCodes.pay(checkpoint.config())) {
            return Optional.empty();
        }
        return Optional.of(
                quantized.isPresent()
                        ? quantized.get().headCodes(checkpoint.config())
                        : HeadCodes.of(checkpoint.config(), checkpoint.head()));
    }

    @Override
    public void close() throws IOException {
        if (quantized.isPresent()) {
            quantized.get().close();
        }
    }
}
