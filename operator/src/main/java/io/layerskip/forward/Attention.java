package io.layerskip.forward;

import io.layerskip.model.ModelConfig;
import java.util.Arrays;
import java.util.concurrent.ForkJoinPool;
import java.util.stream.IntStream;

/**
 * Causal grouped-query attention (Ainslie et al., 2023) of one layer over a ragged batch: every row
 * sees the keys of its own sequence up to its own position, wherever the row stands and whoever
 * stands beside it. Nothing is padded and nothing copied, as in vLLM's paged attention (Kwon et
 * al., 2023, section 4.3).
 *
 * <p>A row's result is the same, bit by bit, in any company. Not thread-safe; heads are computed
 * side by side where there is work enough for more than one thread.
 */
final class Attention {

    /** Multiplications below which one thread is faster than handing work to others. */
    private static final long PARALLEL_WORK = 4_000_000;

    private static final int TILE_ROWS = KeyValueBlock.TILE_ROWS;
    private static final int VALUE_LANES = KeyValueBlock.VALUE_LANES;

    /** Floats in the widest vector register. */
    private static final int VECTOR_LANES = 16;

    private static final float LEAST_EXPONENT = -87;
    private static final float LOG2_E = 1.44269504f;
    private static final float LN2_HIGH = 0.693359375f;
    private static final float LN2_LOW = -2.12194440e-4f;
    private static final float ROUNDING = 0x1.8p23f;

    private final int heads;
    private final int keyValueHeads;
    private final int headDim;
    private final float scale;
    private final RotaryTable rotary;
    private final float[] qkv;
    private final float[] attended;
    private final Query[] queries;
    private final ForkJoinPool pool;

    /**
     * @param maxRows most rows of a pass
     * @param pool computes heads side by side where it has more than one thread; stays the caller's
     */
    Attention(ModelConfig config, int maxRows, ForkJoinPool pool) {
        this.heads = config.numAttentionHeads();
        this.keyValueHeads = config.numKeyValueHeads();
        this.headDim = config.headDim();
        this.scale = (float) (1 / Math.sqrt(headDim));
        this.rotary = new RotaryTable(config);
        this.qkv = new float[Math.multiplyExact(maxRows, config.qkvWidth())];
        this.attended = new float[Math.multiplyExact(maxRows, config.attendedWidth())];
        this.queries = new Query[keyValueHeads];
        for (int head = 0; head < keyValueHeads; head++) {
            queries[head] = new Query(headDim);
        }
        this.pool = pool;
    }

    /**
     * Writes the rows' keys and values into their caches and attends.
     *
     * @param input [rows, query, key and value heads x head width]
     * @param output [rows, query heads x head width]
     */
    void attend(int layer, RaggedBatch batch, TokenRows input, TokenRows output) {
        input.values().get(0, qkv, 0, batch.rows() * input.width());
        store(layer, batch);
        if (pool.getParallelism() > 1 && work(batch) > PARALLEL_WORK) {
            pool.submit(
                            () ->
                                    IntStream.range(0, keyValueHeads)
                                            .parallel()
                                            .forEach(head -> attend(layer, batch, head)))
                    .join();
        } else {
            for (int head = 0; head < keyValueHeads; head++) {
                attend(layer, batch, head);
            }
        }
        output.values().put(0, attended, 0, batch.rows() * output.width());
    }

    private long work(RaggedBatch batch) {
        long pairs = 0;
        for (int span = 0; span < batch.size(); span++) {
            pairs += (long) batch.count(span) * (batch.position(span) + batch.count(span));
        }
        return 2 * pairs * heads * headDim;
    }

    /** Rotates queries and keys, and puts keys and values into the caches. */
    private void store(int layer, RaggedBatch batch) {
        int width = (heads + 2 * keyValueHeads) * headDim;
        int start = 0;
        for (int span = 0; span < batch.size(); span++) {
            for (int i = 0; i < batch.count(span); i++, start += width) {
                int position = batch.position(span) + i;
                float[] table = rotary.at(position);
                for (int head = 0; head < heads + keyValueHeads; head++) {
                    RotaryTable.rotate(qkv, start + head * headDim, table);
                }
                batch.cache(span)
                        .block(position / KeyValueBlock.TOKENS)
                        .store(
                                layer,
                                position % KeyValueBlock.TOKENS,
                                qkv,
                                start + heads * headDim);
            }
        }
    }

    /** All rows of one key/value head and the query heads that share it. */
    private void attend(int layer, RaggedBatch batch, int keyValueHead) {
        int group = heads / keyValueHeads;
        int row = 0;
        for (int span = 0; span < batch.size(); span++) {
            KeyValueCache cache = batch.cache(span);
            for (int i = 0; i < batch.count(span); i++, row++) {
                int context = batch.position(span) + i + 1;
                for (int head = keyValueHead * group; head < (keyValueHead + 1) * group; head++) {
                    attend(layer, cache, context, row, head, keyValueHead);
                }
            }
        }
    }

    private void attend(
            int layer, KeyValueCache cache, int context, int row, int head, int keyValueHead) {
        Query query = queries[keyValueHead];
        int from = row * (heads + 2 * keyValueHeads) * headDim + head * headDim;
        int blocks = (context + KeyValueBlock.TOKENS - 1) / KeyValueBlock.TOKENS;
        query.ensureBlocks(blocks);
        float greatest = Float.NEGATIVE_INFINITY;
        for (int i = 0; i < blocks; i++) {
            int count = Math.min(context - i * KeyValueBlock.TOKENS, KeyValueBlock.TOKENS);
            float[] scores = query.weights[i];
            score(cache.block(i), layer, keyValueHead, from, scores, count);
            greatest = greatest(scores, count, greatest);
        }
        float sum = 0;
        for (float[] part : query.sums) {
            Arrays.fill(part, 0);
        }
        for (int i = 0; i < blocks; i++) {
            int count = Math.min(context - i * KeyValueBlock.TOKENS, KeyValueBlock.TOKENS);
            float[] weights = query.weights[i];
            sum += exponentials(weights, count, greatest);
            addValues(cache.block(i), layer, keyValueHead, weights, count, query.sums);
        }
        int target = (row * heads + head) * headDim;
        for (int d = 0; d < headDim; d++) {
            attended[target + d] = query.sums[d / VALUE_LANES][d % VALUE_LANES] / sum;
        }
    }

    /** Room for one query at work; heads that run side by side each have their own. */
    private static final class Query {
        /** Of each block: its tokens' scores, then their weights. */
        private float[][] weights = new float[0][];

        /** What the values add up to, in parts of {@link KeyValueBlock#VALUE_LANES}. */
        private final float[][] sums;

        Query(int headDim) {
            this.sums = new float[(headDim + VALUE_LANES - 1) / VALUE_LANES][VALUE_LANES];
        }

        void ensureBlocks(int blocks) {
            if (weights.length < blocks) {
                int known = weights.length;
                weights = Arrays.copyOf(weights, Math.max(blocks, 2 * known));
                for (int i = known; i < weights.length; i++) {
                    weights[i] = new float[KeyValueBlock.TOKENS];
                }
            }
        }
    }

    /** The products of a query, which stands at {@code from}, with a block's first keys. */
    private void score(
            KeyValueBlock block, int layer, int head, int from, float[] scores, int count) {
        // What lies after the last token is computed for whole vectors, and nobody reads it.
        int lanes = (count + VECTOR_LANES - 1) / VECTOR_LANES * VECTOR_LANES;
        Arrays.fill(scores, 0, lanes, 0);
        for (int tile = 0; tile * TILE_ROWS < headDim; tile++) {
            // Where the width is no multiple of the tile's rows, those beyond it are zeros.
            int d = from + tile * TILE_ROWS;
            addRows(
                    block.keys(layer, head, tile),
                    KeyValueBlock.TOKENS,
                    qkv[d],
                    qkv[d + 1],
                    qkv[d + 2],
                    qkv[d + 3],
                    scores,
                    lanes);
        }
    }

    /** Adds a block's first values, each times its weight. */
    private void addValues(
            KeyValueBlock block, int layer, int head, float[] weights, int count, float[][] sums) {
        int end = (count + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS;
        Arrays.fill(weights, count, end, 0);
        for (int part = 0; part < sums.length; part++) {
            int lanes = Math.min(VALUE_LANES, headDim - part * VALUE_LANES);
            for (int token = 0; token < end; token += TILE_ROWS) {
                addRows(
                        block.values(layer, head, token / TILE_ROWS, part),
                        VALUE_LANES,
                        weights[token],
                        weights[token + 1],
                        weights[token + 2],
                        weights[token + 3],
                        sums[part],
                        lanes);
            }
        }
    }

    /** target += the rows of a tile, each times its factor; no offsets, see KeyValueBlock. */
    private static void addRows(
            float[] tile, int row, float a, float b, float c, float d, float[] target, int lanes) {
        for (int i = 0; i < lanes; i++) {
            target[i] +=
                    (a * tile[i] + b * tile[i + row])
                            + (c * tile[i + 2 * row] + d * tile[i + 3 * row]);
        }
    }

    /** The greatest of the scores, or {@code least}; Math.max would take three times as long. */
    private static float greatest(float[] scores, int count, float least) {
        float greatest = least;
        for (int token = 0; token < count; token++) {
            if (scores[token] > greatest) {
                greatest = scores[token];
            }
        }
        return greatest;
    }

    /** Turns scores into weights; returns their sum. */
    private float exponentials(float[] scores, int count, float greatest) {
        float sum = 0;
        for (int token = 0; token < count; token++) {
            scores[token] = exp((scores[token] - greatest) * scale);
            sum += scores[token];
        }
        return sum;
    }

    /**
     * e^x for x at most 0, to about 2 in 10^7: the polynomial of Cephes' expf (Moshier, 1992),
     * several times as fast as {@link Math#exp}.
     */
    static float exp(float x) {
        if (!(x > LEAST_EXPONENT)) {
            return x == x ? 0 : x;
        }
        // Adding and taking away so large a number rounds to an integer.
        float powerOfTwo = x * LOG2_E + ROUNDING - ROUNDING;
        float rest = x - powerOfTwo * LN2_HIGH - powerOfTwo * LN2_LOW;
        float series = 1.9875691500E-4f;
        series = series * rest + 1.3981999507E-3f;
        series = series * rest + 8.3334519073E-3f;
        series = series * rest + 4.1665795894E-2f;
        series = series * rest + 1.6666665459E-1f;
        series = series * rest + 5.0000001201E-1f;
        float mantissa = series * rest * rest + rest + 1;
        return mantissa * Float.intBitsToFloat((int) powerOfTwo + 127 << 23);
    }
}
