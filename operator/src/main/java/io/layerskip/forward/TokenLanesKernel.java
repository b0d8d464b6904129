package io.layerskip.forward;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Attention of few rows, as in decoding: the lanes of a vector are the tokens that a query looks
 * at, and then the elements of their values. A block's keys are read once for all queries.
 */
final class TokenLanesKernel implements AttentionKernel {

    private static final int TOKENS = KeyValueBlock.TOKENS;
    private static final int TILE_ROWS = KeyValueBlock.TILE_ROWS;
    private static final int VALUE_LANES = KeyValueBlock.VALUE_LANES;
    private static final int SEGMENT_BLOCKS = SEGMENT_TOKENS / TOKENS;

    /** Floats in the widest vector register. */
    private static final int VECTOR_LANES = 16;

    private final Shape shape;
    private final List<Query> queries = new ArrayList<>();
    private final float[] powers = new float[TOKENS];
    private final float[][] keyTiles;
    private final float[][] valueTiles;

    TokenLanesKernel(Shape shape) {
        this.shape = shape;
        this.keyTiles = KeyValueBlock.keyTiles(shape.headDim());
        this.valueTiles = KeyValueBlock.valueTiles(shape.headDim());
    }

    /** A query at work. */
    private static final class Query {
        private final float[] vector;

        /** Of each block of a segment: its tokens' scores, then their weights. */
        private final float[][] weights = new float[SEGMENT_BLOCKS][TOKENS];

        /** What the values add up to, in parts of {@link KeyValueBlock#VALUE_LANES}. */
        private final float[][] sums;

        private int context;
        private float greatest;
        private float sum;

        Query(int headDim) {
            // Where the width is no multiple of the tile's rows, those beyond it are zeros.
            this.vector = new float[(headDim + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS];
            this.sums = new float[KeyValueBlock.valueParts(headDim)][VALUE_LANES];
        }

        void begin(float[] qkv, int from, int headDim, int context) {
            System.arraycopy(qkv, from, vector, 0, headDim);
            for (float[] part : sums) {
                Arrays.fill(part, 0);
            }
            this.context = context;
            this.greatest = Float.NEGATIVE_INFINITY;
            this.sum = 0;
        }

        /** How many of a block's tokens it sees. */
        int count(int block) {
            return Math.min(context - block * TOKENS, TOKENS);
        }
    }

    @Override
    public void attend(Task task, float[] qkv, float[] attended) {
        int count = task.rows() * shape.group();
        while (queries.size() < count) {
            queries.add(new Query(shape.headDim()));
        }
        for (int i = 0; i < count; i++) {
            int row = i / shape.group();
            queries.get(i)
                    .begin(qkv, shape.query(task, i), shape.headDim(), task.position() + row + 1);
        }
        int blocks = (task.context() + TOKENS - 1) / TOKENS;
        for (int from = 0; from < blocks; from += SEGMENT_BLOCKS) {
            int to = Math.min(from + SEGMENT_BLOCKS, blocks);
            score(task, from, to, count);
            for (int i = 0; i < count; i++) {
                findGreatest(queries.get(i), from, to);
            }
            addValues(task, from, to, count);
        }
        for (int i = 0; i < count; i++) {
            Query query = queries.get(i);
            int target = shape.target(task, i);
            for (int d = 0; d < shape.headDim(); d++) {
                attended[target + d] = query.sums[d / VALUE_LANES][d % VALUE_LANES] / query.sum;
            }
        }
    }

    /** The products of the queries with a segment's keys. */
    private void score(Task task, int from, int to, int count) {
        for (int block = from; block < to; block++) {
            float[][] tiles =
                    task.cache().block(block).keys(task.layer(), task.keyValueHead(), keyTiles);
            for (int i = 0; i < count; i++) {
                Query query = queries.get(i);
                if (query.count(block) > 0) {
                    score(query, tiles, query.weights[block - from], query.count(block));
                }
            }
        }
    }

    private static void score(Query query, float[][] tiles, float[] scores, int count) {
        // What lies after the last token is computed for whole vectors, and nobody reads it.
        int lanes = (count + VECTOR_LANES - 1) / VECTOR_LANES * VECTOR_LANES;
        Arrays.fill(scores, 0, lanes, 0);
        for (int tile = 0; tile < tiles.length; tile++) {
            addRows(tiles[tile], TOKENS, query.vector, tile * TILE_ROWS, scores, lanes);
        }
    }

    /** Scales what is summed up so far, where a segment has a greater score. */
    private void findGreatest(Query query, int from, int to) {
        float greatest = query.greatest;
        for (int block = from; block < to; block++) {
            greatest = greatest(query.weights[block - from], query.count(block), greatest);
        }
        if (from > 0 && greatest > query.greatest) {
            float factor = Exponential.of((query.greatest - greatest) * shape.scale());
            query.sum *= factor;
            for (float[] part : query.sums) {
                for (int d = 0; d < part.length; d++) {
                    part[d] *= factor;
                }
            }
        }
        query.greatest = greatest;
    }

    /** Adds a segment's values, each times its weight. */
    private void addValues(Task task, int from, int to, int count) {
        for (int block = from; block < to; block++) {
            float[][] tiles =
                    task.cache().block(block).values(task.layer(), task.keyValueHead(), valueTiles);
            for (int i = 0; i < count; i++) {
                Query query = queries.get(i);
                if (query.count(block) > 0) {
                    addValues(query, tiles, query.weights[block - from], query.count(block));
                }
            }
        }
    }

    private void addValues(Query query, float[][] tiles, float[] weights, int count) {
        query.sum += Exponential.weigh(weights, query.greatest, shape.scale(), powers, count);
        int end = (count + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS;
        Arrays.fill(weights, count, end, 0);
        int parts = query.sums.length;
        for (int part = 0; part < parts; part++) {
            int lanes = Math.min(VALUE_LANES, shape.headDim() - part * VALUE_LANES);
            for (int token = 0; token < end; token += TILE_ROWS) {
                float[] tile = tiles[token / TILE_ROWS * parts + part];
                addRows(tile, VALUE_LANES, weights, token, query.sums[part], lanes);
            }
        }
    }

    /** target += the rows of a tile, each times its factor; no offsets, see KeyValueBlock. */
    private static void addRows(
            float[] tile, int row, float[] factors, int at, float[] target, int lanes) {
        float a = factors[at];
        float b = factors[at + 1];
        float c = factors[at + 2];
        float d = factors[at + 3];
        float e = factors[at + 4];
        float f = factors[at + 5];
        float g = factors[at + 6];
        float h = factors[at + 7];
        for (int i = 0; i < lanes; i++) {
            target[i] =
                    (target[i]
                                    + ((a * tile[i] + b * tile[i + row])
                                            + (c * tile[i + 2 * row] + d * tile[i + 3 * row])))
                            + ((e * tile[i + 4 * row] + f * tile[i + 5 * row])
                                    + (g * tile[i + 6 * row] + h * tile[i + 7 * row]));
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
}
