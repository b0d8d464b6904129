package io.layerskip.forward;

import io.layerskip.model.Checkpoint;
import io.layerskip.model.FolderStamp;
import io.layerskip.model.ModelConfig;
import io.layerskip.model.SharedResources;
import io.layerskip.model.WeightRows;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.SortedSet;
import java.util.TreeSet;
import org.apache.flink.annotation.Internal;

/**
 * The model, cut at the exit layers; one copy of every weight serves draft and verification, and
 * every model of the process that is cut alike.
 *
 * <pre>
 *   token -> embedding -> layers [0, E) -> exit states -> layers [E, L) -> final states
 *                                              |                               |
 *                                            head: draft                  head: verify
 * </pre>
 *
 * Segments are counted from 0; {@code states(i)} enters segment i, so {@code
 * states(segmentAfter(E))} are the hidden states at exit E and {@code states(segments())} those
 * that leave the model. A pass takes rows of many sequences at once. Not thread-safe.
 */
@Internal
public final class LayerSkipModel implements AutoCloseable {

    /** Most tokens in one pass. */
    public static final int MAX_ROWS = 256;

    /** Most rows that the head takes at once: a large vocabulary's logits would fill the memory. */
    public static final int MAX_LOGIT_ROWS = 16;

    /** Sessions of models that are open, for others to share. */
    private static final SharedResources<SharedKey, SharedSessions> SHARED =
            new SharedResources<>(SharedSessions::close);

    private final ModelConfig config;
    private final WeightRows embedding;
    private final List<AutoCloseable> resources = new ArrayList<>();
    private final List<LayerSegment> segments = new ArrayList<>();
    private final List<TokenRows> states = new ArrayList<>();
    private final SessionRun head;
    private final TokenRows headInput;
    private final TokenRows logits;
    private final Optional<NearTies> nearTies;
    private final Optional<DraftHead> draftHead;
    private PassListener listener = (pass, rows, nanos) -> {};

    /** What sessions follow from. */
    private record SharedKey(
            FolderStamp files,
            String fingerprint,
            SortedSet<Integer> exitLayers,
            Precision precision,
            Optional<Path> cacheFolder,
            PassThreads threads) {}

    /**
     * A model whose passes nobody else's compete with; see {@link #LayerSkipModel(Checkpoint, List,
     * Precision, Optional, PassThreads, LoadListener)}.
     *
     * @param threads that compute one pass, at least 1
     */
    public LayerSkipModel(
            Checkpoint checkpoint,
            List<Integer> exitLayers,
            Precision precision,
            Optional<Path> cacheFolder,
            int threads)
            throws IOException {
        this(
                checkpoint,
                exitLayers,
                precision,
                cacheFolder,
                new PassThreads(threads, 1),
                LoadListener.NONE);
    }

    /**
     * Takes the sessions of a model in this process that is open and has the same weights, exits
     * and threads, or else builds them, which takes seconds for a large model.
     *
     * @param exitLayers layers that a pass may stop after, each in 1..L-1; every further one costs
     *     a call a pass
     * @param cacheFolder keeps weights of another precision than the checkpoint's for the next
     *     time; empty to make them again
     * @param listener of the loading, if that is needed
     * @throws IllegalArgumentException if an exit layer is not in 1..L-1
     * @throws java.io.InterruptedIOException if the thread is interrupted, which it stays
     * @throws IOException if quantized weights cannot be made or written
     * @throws ForwardException if ONNX Runtime cannot build a session
     */
    public LayerSkipModel(
            Checkpoint checkpoint,
            List<Integer> exitLayers,
            Precision precision,
            Optional<Path> cacheFolder,
            PassThreads threads,
            LoadListener listener)
            throws IOException {
        this.config = checkpoint.config();
        this.embedding = checkpoint.embedding();
        int last = config.numHiddenLayers();
        for (int exit : exitLayers) {
            if (exit < 1 || exit >= last) {
                throw new IllegalArgumentException(
                        "exit layer is %d; allowed: 1 to %d, as the model in %s has %d layers"
                                .formatted(exit, last - 1, checkpoint.folder(), last));
            }
        }
        SortedSet<Integer> exits = new TreeSet<>(exitLayers);
        SharedKey key =
                new SharedKey(
                        checkpoint.stamp(),
                        checkpoint.fingerprint(),
                        exits,
                        precision,
                        cacheFolder,
                        threads);
        try {
            SharedSessions shared =
                    opened(
                                    SHARED.use(
                                            key,
                                            () -> {
                                                listener.beforeLoading();
                                                return new SharedSessions(
                                                        checkpoint,
                                                        exits,
                                                        precision,
                                                        cacheFolder,
                                                        threads,
                                                        listener);
                                            }))
                            .resource();
            OnnxRuntimeCleanup.takeShutdownHook();
            LayerSegment.Scratch scratch =
                    opened(LayerSegment.Scratch.allocate(config, MAX_ROWS, shared.attentionPool()));
            states.add(opened(new TokenRows(MAX_ROWS, config.hiddenSize())));
            for (SharedSessions.Segment segment : shared.segments()) {
                segments.add(new LayerSegment(segment, scratch));
                states.add(opened(new TokenRows(MAX_ROWS, config.hiddenSize())));
            }
            nearTies =
                    precision == Precision.FP32
                            ? Optional.empty()
                            : Optional.of(new NearTies(checkpoint));
            draftHead =
                    shared.headCodes().isPresent()
                            ? Optional.of(
                                    new DraftHead(
                                            checkpoint,
                                            shared.headCodes().get(),
                                            shared.attentionPool()))
                            : Optional.empty();
            head = new SessionRun(shared.head());
            headInput = opened(new TokenRows(MAX_LOGIT_ROWS, config.hiddenSize()));
            logits = opened(new TokenRows(MAX_LOGIT_ROWS, config.vocabSize()));
        } catch (IOException | RuntimeException | Error e) {
            try {
                close();
            } catch (ForwardException suppressed) {
                e.addSuppressed(suppressed);
            }
            throw e;
        }
    }

    /** Whether there is a model in this class loader that has not been closed. */
    static boolean anyOpen() {
        return SHARED.inUse();
    }

    /** Bytes that a model's matrices take in memory once it is loaded; loading takes more. */
    public static long weightBytes(ModelConfig config, Precision precision) {
        return precision == Precision.FP32
                ? Float32Products.bytes(config)
                : QuantizedWeights.bytes(config, precision);
    }

    public ModelConfig config() {
        return config;
    }

    public int segments() {
        return segments.size();
    }

    /** Hidden states [rows, hidden] that enter a segment, or leave the model. */
    public TokenRows states(int segment) {
        return states.get(segment);
    }

    /** Puts a token's embedding into a row of what enters the first layer. */
    public void embed(int token, int row) {
        TokenRows embedded = states.get(0);
        embedding.read(token, embedded.values(), row * embedded.width());
    }

    /** Tells the listener of every pass from now on. */
    public void onPass(PassListener listener) {
        this.listener = listener;
    }

    /**
     * All layers before a segment over a batch, whose rows have been embedded; their states are
     * then in {@link #states states(segment)}.
     */
    public void forwardEarly(int segment, RaggedBatch batch) {
        for (int early = 0; early < segment; early++) {
            forward(early, batch);
        }
    }

    /** One segment over all rows of a batch, which stand in {@link #states}, in their order. */
    public void forward(int segment, RaggedBatch batch) {
        long start = System.nanoTime();
        segments.get(segment).forward(batch, states.get(segment), states.get(segment + 1));
        listener.passed(segment, batch.rows(), System.nanoTime() - start);
    }

    /** The last segment; only the batch's {@link RaggedBatch#leaving leaving} rows leave it. */
    public void forwardLast(RaggedBatch batch) {
        int last = segments() - 1;
        long start = System.nanoTime();
        segments.get(last).forwardLeaving(batch, states.get(last), states.get(last + 1));
        listener.passed(last, batch.rows(), System.nanoTime() - start);
    }

    /** Where hidden states [rows, hidden] for {@link #logits} are put. */
    public TokenRows headInput() {
        return headInput;
    }

    /** The head on rows [0, count) of {@link #headInput}; the next call overwrites the result. */
    public TokenRows logits(int count) {
        long start = System.nanoTime();
        head.input(OnnxGraphs.HIDDEN, headInput.view(count));
        head.output(OnnxGraphs.LOGITS, logits.view(count)).run();
        listener.passed(segments(), count, System.nanoTime() - start);
        return logits;
    }

    /** Whether there is a faster way to drafts than all logits: where the vocabulary is large. */
    public boolean hasDraftHead() {
        return draftHead.isPresent();
    }

    /**
     * The greatest logits of rows [0, count) of {@link #headInput}, in much less time than all of
     * them take; others are negative infinity, and now and then the very greatest is among those.
     * The next call, or one of {@link #logits}, overwrites the result.
     *
     * @throws java.util.NoSuchElementException if there is no draft head
     */
    public TokenRows draftLogits(int count) {
        long start = System.nanoTime();
        for (int row = 0; row < count; row++) {
            draftHead.orElseThrow().logits(headInput, row, logits);
        }
        listener.passed(segments() + 1, count, System.nanoTime() - start);
        return logits;
    }

    /**
     * The token with the greatest of the logits that were asked for last.
     *
     * <p>Where the head is quantized, the checkpoint's own decides between those that come close.
     *
     * @return empty if the greatest is no finite number
     */
    public OptionalInt argmax(int row) {
        return nearTies.isPresent()
                ? nearTies.get().argmax(logits, row, headInput)
                : logits.argmax(row);
    }

    /** Index of the segment that starts at an exit. */
    public int segmentAfter(int exit) {
        for (int i = 0; i < segments.size(); i++) {
            if (segments.get(i).to() == exit) {
                return i + 1;
            }
        }
        throw new IllegalArgumentException("exit layer " + exit + " is not open");
    }

    private <T extends AutoCloseable> T opened(T resource) {
        resources.add(resource);
        return resource;
    }

    /**
     * Frees everything, last opened first, whatever fails on the way; what other models share
     * stays.
     *
     * @throws ForwardException if something could not be freed
     */
    @Override
    public void close() {
        List<Exception> failures = new ArrayList<>();
        for (int i = resources.size() - 1; i >= 0; i--) {
            try {
                resources.get(i).close();
            } catch (Exception e) {
                failures.add(e);
            }
        }
        resources.clear();
        if (!failures.isEmpty()) {
            throw new ForwardException("cannot free the model: " + failures, failures.get(0));
        }
    }
}
