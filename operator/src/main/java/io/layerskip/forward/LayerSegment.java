package io.layerskip.forward;

import io.layerskip.model.ModelConfig;
import java.util.List;
import java.util.concurrent.ForkJoinPool;

/**
 * Decoder layers [from, to): one session before each attention and one after the last. Not
 * thread-safe.
 */
final class LayerSegment {

    private final int from;
    private final int to;
    private final Scratch scratch;
    private final List<SessionRun> runs;

    /**
     * What lies between the sessions of one pass; segments run one after the other and share it.
     *
     * @param qkv [rows, query, key and value heads x head width]
     * @param attended [rows, query heads x head width]
     * @param even hidden states after every other layer
     * @param odd hidden states after the layers between those
     */
    record Scratch(
            Attention attention, TokenRows qkv, TokenRows attended, TokenRows even, TokenRows odd)
            implements AutoCloseable {

        static Scratch allocate(ModelConfig config, int rows, ForkJoinPool attentionPool) {
            return new Scratch(
                    new Attention(config, rows, attentionPool),
                    new TokenRows(rows, config.qkvWidth()),
                    new TokenRows(rows, config.attendedWidth()),
                    new TokenRows(rows, config.hiddenSize()),
                    new TokenRows(rows, config.hiddenSize()));
        }

        @Override
        public void close() {
            qkv.close();
            attended.close();
            even.close();
            odd.close();
        }
    }

    LayerSegment(SharedSessions.Segment shared, Scratch scratch) {
        this.from = shared.from();
        this.to = shared.to();
        this.scratch = scratch;
        this.runs = shared.sessions().stream().map(SessionRun::new).toList();
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
    void forward(RaggedBatch batch, TokenRows hidden, TokenRows target) {
        TokenRows entering = forwardToLastAttention(batch, hidden);
        finish(entering, batch.rows(), target);
    }

    /**
     * The same, but only some rows leave: after its attention, the last layer computes no others.
     *
     * @param hidden overwritten
     * @param target [leaving, hidden]
     */
    void forwardLeaving(RaggedBatch batch, TokenRows hidden, TokenRows target) {
        TokenRows entering = forwardToLastAttention(batch, hidden);
        int leaving = batch.leaving();
        if (leaving > 0) {
            entering.select(batch.leavingRows(), leaving);
            scratch.attended.select(batch.leavingRows(), leaving);
            finish(entering, leaving, target);
        }
    }

    /** Leaves the last layer's attention in the scratch; returns what entered that layer. */
    private TokenRows forwardToLastAttention(RaggedBatch batch, TokenRows hidden) {
        int rows = batch.rows();
        runs.get(0).input(OnnxGraphs.HIDDEN, hidden.view(rows));
        runs.get(0).output(OnnxGraphs.QKV, scratch.qkv.view(rows)).run();
        TokenRows entering = hidden;
        for (int layer = from; layer < to - 1; layer++) {
            scratch.attention.attend(layer, batch, scratch.qkv, scratch.attended);
            TokenRows leaving = entering == scratch.even ? scratch.odd : scratch.even;
            runs.get(layer - from + 1)
                    .input(OnnxGraphs.ATTENDED, scratch.attended.view(rows))
                    .input(OnnxGraphs.HIDDEN, entering.view(rows))
                    .output(OnnxGraphs.HIDDEN_OUT, leaving.view(rows))
                    .output(OnnxGraphs.QKV, scratch.qkv.view(rows))
                    .run();
            entering = leaving;
        }
        scratch.attention.attend(to - 1, batch, scratch.qkv, scratch.attended);
        return entering;
    }

    private void finish(TokenRows entering, int rows, TokenRows target) {
        runs.get(runs.size() - 1)
                .input(OnnxGraphs.ATTENDED, scratch.attended.view(rows))
                .input(OnnxGraphs.HIDDEN, entering.view(rows))
                .output(OnnxGraphs.HIDDEN_OUT, target.view(rows))
                .run();
    }
}
