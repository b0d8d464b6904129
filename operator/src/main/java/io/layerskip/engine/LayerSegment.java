package io.layerskip.engine;

import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import io.layerskip.model.ModelConfig;
import io.layerskip.model.ModelSessions;
import io.layerskip.model.OnnxGraphs;
import java.util.ArrayList;
import java.util.List;

/**
 * Decoder layers [from, to): one session before each attention and one behind the last. Not
 * thread-safe.
 */
final class LayerSegment implements AutoCloseable {

    private final int from;
    private final int to;
    private final Scratch scratch;
    private final List<SessionRun> runs = new ArrayList<>();

    /**
     * What lies between the sessions of one pass; segments run one after the other and share it.
     *
     * @param qkv [rows, query, key and value heads x head width]
     * @param attended [rows, query heads x head width]
     * @param even hidden states behind every other layer
     * @param odd hidden states behind the layers between those
     */
    record Scratch(
            Attention attention, TokenRows qkv, TokenRows attended, TokenRows even, TokenRows odd)
            implements AutoCloseable {

        static Scratch allocate(
                OrtEnvironment environment, ModelConfig config, int rows, int threads) {
            return new Scratch(
                    new Attention(config, rows, threads),
                    new TokenRows(environment, rows, config.qkvWidth()),
                    new TokenRows(environment, rows, config.attendedWidth()),
                    new TokenRows(environment, rows, config.hiddenSize()),
                    new TokenRows(environment, rows, config.hiddenSize()));
        }

        @Override
        public void close() {
            attention.close();
            qkv.close();
            attended.close();
            even.close();
            odd.close();
        }
    }

    LayerSegment(ModelSessions sessions, Scratch scratch, int from, int to) throws OrtException {
        this.from = from;
        this.to = to;
        this.scratch = scratch;
        try {
            runs.add(new SessionRun(sessions.attentionInput(from)));
            for (int layer = from; layer < to - 1; layer++) {
                runs.add(new SessionRun(sessions.betweenAttentions(layer)));
            }
            runs.add(new SessionRun(sessions.attentionOutput(to - 1)));
        } catch (OrtException | RuntimeException | Error e) {
            close();
            throw e;
        }
    }

    /** The first layer after this segment; hidden states that leave here could exit there. */
    int to() {
        return to;
    }

    /**
     * Runs the layers over all rows and writes their keys and values into the caches.
     *
     * @param hidden [rows, hidden] that enter the first layer
     * @param target [rows, hidden] that leave the last; another buffer than {@code hidden}
     */
    void forward(Spans spans, TokenRows hidden, TokenRows target) throws OrtException {
        TokenRows entering = forwardToLastAttention(spans, hidden);
        finish(entering, spans.rows(), target);
    }

    /**
     * The same, but only some rows leave: behind its attention, the last layer computes no others.
     *
     * @param hidden overwritten
     * @param target [count, hidden]
     * @param leaving rows in [0, count), rising
     */
    void forward(Spans spans, TokenRows hidden, TokenRows target, int[] leaving, int count)
            throws OrtException {
        TokenRows entering = forwardToLastAttention(spans, hidden);
        if (count > 0) {
            entering.select(leaving, count);
            scratch.attended.select(leaving, count);
            finish(entering, count, target);
        }
    }

    /** Leaves the last layer's attention in the scratch; returns what entered that layer. */
    private TokenRows forwardToLastAttention(Spans spans, TokenRows hidden) throws OrtException {
        int rows = spans.rows();
        runs.get(0).input(OnnxGraphs.HIDDEN, hidden.view(rows));
        runs.get(0).output(OnnxGraphs.QKV, scratch.qkv.view(rows)).run();
        TokenRows entering = hidden;
        for (int layer = from; layer < to - 1; layer++) {
            scratch.attention.attend(layer, spans, scratch.qkv, scratch.attended);
            TokenRows leaving = entering == scratch.even ? scratch.odd : scratch.even;
            runs.get(layer - from + 1)
                    .input(OnnxGraphs.ATTENDED, scratch.attended.view(rows))
                    .input(OnnxGraphs.HIDDEN, entering.view(rows))
                    .output(OnnxGraphs.HIDDEN_OUT, leaving.view(rows))
                    .output(OnnxGraphs.QKV, scratch.qkv.view(rows))
                    .run();
            entering = leaving;
        }
        scratch.attention.attend(to - 1, spans, scratch.qkv, scratch.attended);
        return entering;
    }

    private void finish(TokenRows entering, int rows, TokenRows target) throws OrtException {
        runs.get(runs.size() - 1)
                .input(OnnxGraphs.ATTENDED, scratch.attended.view(rows))
                .input(OnnxGraphs.HIDDEN, entering.view(rows))
                .output(OnnxGraphs.HIDDEN_OUT, target.view(rows))
                .run();
    }

    @Override
    public void close() throws OrtException {
        for (SessionRun run : runs) {
            run.close();
        }
    }
}
