package io.layerskip.engine;

import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import io.layerskip.model.Checkpoint;
import io.layerskip.model.EmbeddingTable;
import io.layerskip.model.ModelConfig;
import io.layerskip.model.ModelSessions;
import io.layerskip.model.ModelSessions.RotaryTables;
import io.layerskip.model.OnnxGraphs;
import io.layerskip.model.TensorAllocator;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
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
 * The hidden states at every cut stay in row buffers, so the remainder starts from what the draft
 * left behind. With several exits open, {@code forwardEarly} runs the segments below the chosen
 * one. Not thread-safe.
 */
final class LayerSkipModel implements AutoCloseable {

    /** Most tokens in one pass. */
    static final int MAX_ROWS = 128;

    private final ModelConfig config;
    private final EmbeddingTable embedding;
    private final List<AutoCloseable> resources = new ArrayList<>();
    private final TensorAllocator allocator;
    private final List<LayerSegment> segments = new ArrayList<>();
    private final OrtSession head;

    /** states.get(i) enters segment i; the last one is what leaves the model. */
    private final List<TokenRows> states = new ArrayList<>();

    private final TokenRows logits;

    /**
     * @param exitLayers cuts, each in 1..L-1
     * @param threads that compute one pass
     * @param maxLogitRows most rows that the head is asked for at once
     * @throws IllegalArgumentException if an exit layer is out of range
     */
    LayerSkipModel(Checkpoint checkpoint, List<Integer> exitLayers, int threads, int maxLogitRows)
            throws OrtException {
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
        OrtEnvironment environment = OrtEnvironment.getEnvironment();
        ModelSessions sessions = new ModelSessions(environment, checkpoint, threads);
        try {
            allocator = opened(sessions.allocator());
            RotaryTables rotary = opened(sessions.rotaryTables(config.maxPositionEmbeddings()));
            states.add(opened(new TokenRows(environment, MAX_ROWS, config.hiddenSize())));
            int from = 0;
            for (int to :
                    Stream.concat(exitLayers.stream(), Stream.of(last))
                            .distinct()
                            .sorted()
                            .toList()) {
                segments.add(opened(new LayerSegment(environment, sessions, rotary, from, to)));
                states.add(opened(new TokenRows(environment, MAX_ROWS, config.hiddenSize())));
                from = to;
            }
            head = opened(sessions.head());
            logits = opened(new TokenRows(environment, maxLogitRows, config.vocabSize()));
        } catch (OrtException | RuntimeException | Error e) {
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

    /** An empty cache. */
    KeyValueCache newCache() {
        return new KeyValueCache(allocator, config);
    }

    /** Puts a token's embedding into a row. */
    void embed(int token, int row) {
        TokenRows embedded = states.get(0);
        embedding.lookup(token, embedded.values(), row * embedded.width());
    }

    /** Layers [0, exit) over embedded rows [row, row + count), from a position on. */
    void forwardEarly(int exit, KeyValueCache cache, int position, int row, int count)
            throws OrtException {
        forward(0, segmentAfter(exit), cache, position, row, count);
    }

    /** Layers [exit, L) over the rows [row, row + count) that {@link #forwardEarly} left behind. */
    void forwardRemainder(int exit, KeyValueCache cache, int position, int row, int count)
            throws OrtException {
        forward(segmentAfter(exit), segments.size(), cache, position, row, count);
    }

    /** The draft's logits: the head on one row at the exit, as row 0 of what is returned. */
    TokenRows earlyLogits(int exit, int row) throws OrtException {
        return head(states.get(segmentAfter(exit)), row, 1);
    }

    /** The model's logits: the head on rows [row, row + count), as rows 0 to count - 1. */
    TokenRows finalLogits(int row, int count) throws OrtException {
        return head(states.get(segments.size()), row, count);
    }

    private void forward(int first, int end, KeyValueCache cache, int position, int row, int count)
            throws OrtException {
        for (int i = first; i < end; i++) {
            segments.get(i).forward(cache, position, states.get(i), states.get(i + 1), row, count);
        }
    }

    private TokenRows head(TokenRows hidden, int row, int count) throws OrtException {
        head.run(
                        Map.of(OnnxGraphs.HIDDEN, hidden.view(row, count)),
                        Set.of(),
                        Map.of(OnnxGraphs.LOGITS, logits.view(0, count)))
                .close();
        return logits;
    }

    /** Index of the segment that starts at a layer. */
    private int segmentAfter(int exit) {
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
