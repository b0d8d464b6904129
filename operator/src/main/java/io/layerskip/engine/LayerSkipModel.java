package io.layerskip.engine;

import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import io.layerskip.model.Checkpoint;
import io.layerskip.model.ModelConfig;
import io.layerskip.model.ModelSessions;
import io.layerskip.model.OnnxGraphs;
import io.layerskip.model.Precision;
import io.layerskip.model.WeightRows;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The model, cut at the exit layers; one copy of every weight serves draft and verification.
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
final class LayerSkipModel implements AutoCloseable {

    /** Most tokens in one pass. */
    static final int MAX_ROWS = 256;

    /** Most rows that the head takes at once: a large vocabulary's logits would fill the memory. */
    static final int MAX_LOGIT_ROWS = 16;

    private final ModelConfig config;
    private final WeightRows embedding;
    private final List<AutoCloseable> resources = new ArrayList<>();
    private final List<LayerSegment> segments = new ArrayList<>();
    private final List<TokenRows> states = new ArrayList<>();
    private final SessionRun head;
    private final TokenRows headInput;
    private final TokenRows logits;
    private final Optional<CloseCalls> closeCalls;

    /**
     * @throws IllegalArgumentException if an exit layer is not in 1..L-1
     * @throws IOException if quantized weights cannot be made or written
     */
    LayerSkipModel(Checkpoint checkpoint, EngineSettings settings)
            throws OrtException, IOException {
        this.config = checkpoint.config();
        this.embedding = checkpoint.embedding();
        int last = config.numHiddenLayers();
        for (int exit : settings.exitLayers()) {
            if (exit < 1 || exit >= last) {
                throw new IllegalArgumentException(
                        "exit layer is %d; allowed: 1 to %d, as the model in %s has %d layers"
                                .formatted(exit, last - 1, checkpoint.folder(), last));
            }
        }
        OrtEnvironment environment = OrtEnvironment.getEnvironment();
        int threads = settings.threads();
        try (ModelSessions sessions =
                ModelSessions.open(
                        environment,
                        checkpoint,
                        settings.precision(),
                        settings.cacheFolder(),
                        threads)) {
            LayerSegment.Scratch scratch =
                    opened(LayerSegment.Scratch.allocate(environment, config, MAX_ROWS, threads));
            states.add(opened(new TokenRows(environment, MAX_ROWS, config.hiddenSize())));
            int from = 0;
            for (int to :
                    Stream.concat(settings.exitLayers().stream(), Stream.of(last))
                            .distinct()
                            .sorted()
                            .toList()) {
                segments.add(opened(new LayerSegment(sessions, scratch, from, to)));
                states.add(opened(new TokenRows(environment, MAX_ROWS, config.hiddenSize())));
                from = to;
            }
            closeCalls =
                    settings.precision() == Precision.FP32
                            ? Optional.empty()
                            : Optional.of(new CloseCalls(checkpoint));
            head = opened(new SessionRun(sessions.head()));
            headInput = opened(new TokenRows(environment, MAX_LOGIT_ROWS, config.hiddenSize()));
            logits = opened(new TokenRows(environment, MAX_LOGIT_ROWS, config.vocabSize()));
        } catch (OrtException | IOException | RuntimeException | Error e) {
            try {
                close();
            } catch (EngineFailedException suppressed) {
                e.addSuppressed(suppressed);
            }
            throw e;
        }
    }

    ModelConfig config() {
        return config;
    }

    int segments() {
        return segments.size();
    }

    /** Hidden states [rows, hidden] that enter a segment, or leave the model. */
    TokenRows states(int segment) {
        return states.get(segment);
    }

    /** Puts a token's embedding into a row of what enters the first layer. */
    void embed(int token, int row) {
        TokenRows embedded = states.get(0);
        embedding.read(token, embedded.values(), row * embedded.width());
    }

    /** One segment over all rows of the spans, which stand in {@link #states}, in their order. */
    void forward(int segment, Spans spans) throws OrtException {
        segments.get(segment).forward(spans, states.get(segment), states.get(segment + 1));
    }

    /**
     * The last segment; only some rows, rising, leave the model.
     *
     * @see LayerSegment#forward(Spans, TokenRows, TokenRows, int[], int)
     */
    void forwardLast(Spans spans, int[] leaving, int count) throws OrtException {
        int last = segments() - 1;
        segments.get(last).forward(spans, states.get(last), states.get(last + 1), leaving, count);
    }

    /** Where hidden states [rows, hidden] for {@link #logits} are put. */
    TokenRows headInput() {
        return headInput;
    }

    /** The head on rows [0, count) of {@link #headInput}; the next call overwrites the result. */
    TokenRows logits(int count) throws OrtException {
        head.input(OnnxGraphs.HIDDEN, headInput.view(count));
        head.output(OnnxGraphs.LOGITS, logits.view(count)).run();
        return logits;
    }

    /**
     * The token with the greatest of the logits that were asked for last.
     *
     * @throws ArithmeticException if that is no finite number
     */
    int argmax(int row) {
        return closeCalls.isPresent()
                ? closeCalls.get().argmax(logits, row, headInput)
                : TokenDistribution.argmax(logits, row);
    }

    /** Index of the segment that starts at an exit. */
    int segmentAfter(int exit) {
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
     * Frees everything, last opened first, whatever fails on the way.
     *
     * @throws EngineFailedException if something could not be freed
     */
    @Override
    public void close() {
        EngineFailedException failure = new EngineFailedException("cannot free the model");
        for (int i = resources.size() - 1; i >= 0; i--) {
            try {
                resources.get(i).close();
            } catch (Exception e) {
                failure.addSuppressed(e);
            }
        }
        resources.clear();
        if (failure.getSuppressed().length > 0) {
            throw failure;
        }
    }
}
