package io.layerskip.forward;

import java.util.Arrays;

/**
 * Attention of many rows, as in prefill: the lanes of a vector are queries, so loops are long and a
 * key or a value is read once for all of them. Twice as fast as {@link TokenLanesKernel} and more
 * where there are hundreds.
 *
 * <p>Lanes are in the order of rows. A token is seen by the rows from some one on, so by all lanes
 * from some one on.
 */
final class RowLanesKernel implements AttentionKernel {

    /** Most queries at once: what they take of keys and values should stay in a core's cache. */
    private static final int MAX_LANES = 512;

    /** Elements or tokens that are added at once. */
    private static final int QUAD = 4;

    /**
     * Tokens or elements that are taken in turns, so that both what they add up to and four rows of
     * factors stay in a core's first cache.
     */
    private static final int TURNS = 8;

    private static final int TOKENS = KeyValueBlock.TOKENS;
    private static final int TILE_ROWS = KeyValueBlock.TILE_ROWS;
    private static final int VALUE_LANES = KeyValueBlock.VALUE_LANES;

    private final Shape shape;
    private final int parts;

    /** [elements, lanes]; those after the head's width are zeros. */
    private final float[][] queries;

    /** [elements, lanes]. */
    private final float[][] sums;

    /** Of each token of a segment, [tokens, lanes]: scores, then weights. */
    private final float[][] weights;

    private final float[] sum;
    private final float[] blockSum;
    private final float[] greatest;
    private final float[] former;
    private final float[] powers;
    private final float[][] keyTiles;
    private final float[][] valueTiles;

    RowLanesKernel(Shape shape) {
        this.shape = shape;
        int most = rows(shape) * shape.group();
        this.parts = KeyValueBlock.valueParts(shape.headDim());
        this.queries = new float[(shape.headDim() + QUAD - 1) / QUAD * QUAD][most];
        this.sums = new float[shape.headDim()][most];
        this.weights = new float[SEGMENT_TOKENS][most];
        this.sum = new float[most];
        this.blockSum = new float[most];
        this.greatest = new float[most];
        this.former = new float[most];
        this.powers = new float[most];
        this.keyTiles = KeyValueBlock.keyTiles(shape.headDim());
        this.valueTiles = KeyValueBlock.valueTiles(shape.headDim());
    }

    /** Most rows of a task. */
    static int rows(Shape shape) {
        return Math.max(1, MAX_LANES / shape.group());
    }

    @Override
    public void attend(Task task, float[] qkv, float[] attended) {
        int lanes = task.rows() * shape.group();
        begin(task, qkv, lanes);
        for (int from = 0; from < task.context(); from += SEGMENT_TOKENS) {
            int to = Math.min(from + SEGMENT_TOKENS, task.context());
            System.arraycopy(greatest, 0, former, 0, lanes);
            for (int block = from; block < to; block += TOKENS) {
                score(task, block, Math.min(block + TOKENS, to), lanes);
            }
            if (from > 0) {
                scaleSums(lanes);
            }
            for (int block = from; block < to; block += TOKENS) {
                addValues(task, block, Math.min(block + TOKENS, to), lanes);
            }
        }
        end(task, attended, lanes);
    }

    private void begin(Task task, float[] qkv, int lanes) {
        for (int lane = 0; lane < lanes; lane++) {
            int from = shape.query(task, lane);
            for (int d = 0; d < shape.headDim(); d++) {
                queries[d][lane] = qkv[from + d];
            }
        }
        for (float[] element : sums) {
            Arrays.fill(element, 0, lanes, 0);
        }
        Arrays.fill(sum, 0, lanes, 0);
        Arrays.fill(greatest, 0, lanes, Float.NEGATIVE_INFINITY);
    }

    /** The first lane that sees a token. */
    private int firstLane(Task task, int token) {
        return Math.max(0, token - task.position()) * shape.group();
    }

    /** The products of the queries with the keys of a block's tokens [from, to). */
    private void score(Task task, int from, int to, int lanes) {
        float[][] tiles =
                task.cache().block(from / TOKENS).keys(task.layer(), task.keyValueHead(), keyTiles);
        for (int token = from; token < to; token += TURNS) {
            score(task, tiles, token, Math.min(token + TURNS, to), lanes);
        }
    }

    private void score(Task task, float[][] tiles, int from, int to, int lanes) {
        for (int token = from; token < to; token++) {
            Arrays.fill(weights[token % SEGMENT_TOKENS], firstLane(task, token), lanes, 0);
        }
        for (int d = 0; d < queries.length; d += QUAD) {
            for (int token = from; token < to; token++) {
                addProducts(
                        queries,
                        d,
                        tiles[d / TILE_ROWS],
                        d % TILE_ROWS * TOKENS + token % TOKENS,
                        TOKENS,
                        weights[token % SEGMENT_TOKENS],
                        firstLane(task, token),
                        lanes);
            }
        }
        for (int token = from; token < to; token++) {
            float[] scores = weights[token % SEGMENT_TOKENS];
            for (int lane = firstLane(task, token); lane < lanes; lane++) {
                greatest[lane] = Math.max(greatest[lane], scores[lane]);
            }
        }
    }

    /** Scales what is summed up so far, where the segment has a greater score. */
    private void scaleSums(int lanes) {
        float[] factors = former;
        Exponential.weigh(factors, greatest, shape.scale(), powers, 0, lanes);
        multiply(sum, factors, lanes);
        for (float[] element : sums) {
            multiply(element, factors, lanes);
        }
    }

    private static void multiply(float[] target, float[] factors, int lanes) {
        for (int lane = 0; lane < lanes; lane++) {
            target[lane] *= factors[lane];
        }
    }

    /** Adds the values of a block's tokens [from, to), each times its weight. */
    private void addValues(Task task, int from, int to, int lanes) {
        weigh(task, from, to, lanes);
        float[][] tiles =
                task.cache()
                        .block(from / TOKENS)
                        .values(task.layer(), task.keyValueHead(), valueTiles);
        for (int d = 0; d < shape.headDim(); d += TURNS) {
            int end = Math.min(d + TURNS, shape.headDim());
            for (int token = from; token < to; token += QUAD) {
                addValues(task, tiles, token, d, end, lanes);
            }
        }
    }

    /** Adds the elements [from, to) of four tokens' values. */
    private void addValues(Task task, float[][] tiles, int token, int from, int to, int lanes) {
        int row = token % TOKENS;
        int first = firstLane(task, token);
        for (int d = from; d < to; d++) {
            addProducts(
                    weights,
                    token % SEGMENT_TOKENS,
                    tiles[row / TILE_ROWS * parts + d / VALUE_LANES],
                    row % TILE_ROWS * VALUE_LANES + d % VALUE_LANES,
                    VALUE_LANES,
                    sums[d],
                    first,
                    lanes);
        }
    }

    /** Turns scores into weights, zeros where a lane sees one of four tokens but not the next. */
    private void weigh(Task task, int from, int to, int lanes) {
        Arrays.fill(blockSum, 0, lanes, 0);
        int end = from + (to - from + QUAD - 1) / QUAD * QUAD;
        for (int token = from; token < end; token++) {
            float[] scores = weights[token % SEGMENT_TOKENS];
            int first = Math.min(firstLane(task, token), lanes);
            Exponential.weigh(scores, greatest, shape.scale(), powers, first, lanes);
            add(blockSum, scores, first, lanes);
            Arrays.fill(scores, 0, first, 0);
        }
        add(sum, blockSum, 0, lanes);
    }

    private static void add(float[] target, float[] summands, int from, int to) {
        for (int lane = from; lane < to; lane++) {
            target[lane] += summands[lane];
        }
    }

    private void end(Task task, float[] attended, int lanes) {
        for (int lane = 0; lane < lanes; lane++) {
            int target = shape.target(task, lane);
            for (int d = 0; d < shape.headDim(); d++) {
                attended[target + d] = sums[d][lane] / sum[lane];
            }
        }
    }

    private static void addProducts(
            float[][] rows,
            int row,
            float[] tile,
            int at,
            int stride,
            float[] target,
            int from,
            int to) {
        addProducts(
                rows[row],
                rows[row + 1],
                rows[row + 2],
                rows[row + 3],
                tile[at],
                tile[at + stride],
                tile[at + 2 * stride],
                tile[at + 3 * stride],
                target,
                from,
                to);
    }

    /** A single target, and no more rows: with either the JVM would give up vectors (JDK 17). */
    private static void addProducts(
            float[] w,
            float[] x,
            float[] y,
            float[] z,
            float a,
            float b,
            float c,
            float d,
            float[] target,
            int from,
            int to) {
        for (int lane = from; lane < to; lane++) {
            target[lane] += (a * w[lane] + b * x[lane]) + (c * y[lane] + d * z[lane]);
        }
    }
}
