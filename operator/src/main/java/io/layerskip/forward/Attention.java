package io.layerskip.forward;

import io.layerskip.model.ModelConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Causal grouped-query attention (Ainslie et al., 2023) of one layer over a ragged batch: every row
 * sees the keys of its own sequence up to its own position, wherever the row stands and whoever
 * stands beside it. Nothing is padded and nothing copied, as in vLLM's paged attention (Kwon et
 * al., 2023, section 4.3).
 *
 * <p>A row's result is the same, bit by bit, in any company. Few rows of a sequence and many are
 * computed by two {@link AttentionKernel}s that add up in the same order. Not thread-safe; heads,
 * sequences and rows are computed side by side where there is work enough for more than one thread.
 */
final class Attention {

    /** Multiplications below which one thread is faster than handing work to others. */
    private static final long PARALLEL_WORK = 4_000_000;

    /** Queries from which on they make better lanes than tokens do. */
    private static final int MANY_QUERIES = 96;

    private final AttentionKernel.Shape shape;
    private final RotaryTable rotary;
    private final float[] qkv;
    private final float[] attended;
    private final Worker[] workers;
    private final List<AttentionKernel.Task> tasks = new ArrayList<>();
    private final ForkJoinPool pool;
    private final int threads;

    /**
     * @param maxRows most rows of a pass
     * @param pool computes heads side by side where it has more than one thread; stays the caller's
     */
    Attention(ModelConfig config, int maxRows, ForkJoinPool pool) {
        this.shape = AttentionKernel.Shape.of(config);
        this.rotary = new RotaryTable(config);
        this.qkv = new float[Math.multiplyExact(maxRows, config.qkvWidth())];
        this.attended = new float[Math.multiplyExact(maxRows, config.attendedWidth())];
        this.threads = pool.getParallelism();
        this.workers = new Worker[threads];
        for (int i = 0; i < threads; i++) {
            workers[i] = new Worker(shape);
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
        boolean parallel = threads > 1 && work(batch) > PARALLEL_WORK;
        plan(layer, batch, parallel ? threads : 1);
        if (parallel) {
            AtomicInteger next = new AtomicInteger();
            SideBySide.run(pool, threads, worker -> attend(workers[worker], next));
        } else {
            for (AttentionKernel.Task task : tasks) {
                workers[0].attend(task);
            }
        }
        output.values().put(0, attended, 0, batch.rows() * output.width());
    }

    private long work(RaggedBatch batch) {
        long pairs = 0;
        for (int span = 0; span < batch.size(); span++) {
            pairs += (long) batch.count(span) * (batch.position(span) + batch.count(span));
        }
        return 2 * pairs * shape.heads() * shape.headDim();
    }

    /** Cuts the work: by key/value heads, sequences and, where that is not enough, by rows. */
    private void plan(int layer, RaggedBatch batch, int parts) {
        tasks.clear();
        for (int head = 0; head < shape.keyValueHeads(); head++) {
            int row = 0;
            for (int span = 0; span < batch.size(); span++) {
                int count = batch.count(span);
                int most = Math.min(RowLanesKernel.rows(shape), share(count, parts));
                int rows = ceilDiv(count, ceilDiv(count, most));
                for (int i = 0; i < count; i += rows, row += rows) {
                    rows = Math.min(rows, count - i);
                    tasks.add(
                            new AttentionKernel.Task(
                                    layer,
                                    head,
                                    batch.cache(span),
                                    batch.position(span) + i,
                                    row,
                                    rows));
                }
            }
        }
    }

    /** Rows of a sequence that one thread takes of each head. */
    private int share(int count, int parts) {
        return Math.min(count, ceilDiv(count * shape.keyValueHeads(), parts));
    }

    private static int ceilDiv(int dividend, int divisor) {
        return (dividend + divisor - 1) / divisor;
    }

    private void attend(Worker worker, AtomicInteger next) {
        for (int task = next.getAndIncrement();
                task < tasks.size();
                task = next.getAndIncrement()) {
            worker.attend(tasks.get(task));
        }
    }

    /** Kernels that one thread uses at a time; that for many queries is made when one comes. */
    private final class Worker {
        private final AttentionKernel few;
        private Optional<AttentionKernel> many = Optional.empty();

        Worker(AttentionKernel.Shape shape) {
            this.few = new TokenLanesKernel(shape);
        }

        void attend(AttentionKernel.Task task) {
            if (task.rows() * shape.group() < MANY_QUERIES) {
                few.attend(task, qkv, attended);
                return;
            }
            if (many.isEmpty()) {
                many = Optional.of(new RowLanesKernel(shape));
            }
            many.get().attend(task, qkv, attended);
        }
    }

    /** Rotates queries and keys, and puts keys and values into the caches. */
    private void store(int layer, RaggedBatch batch) {
        int width = (shape.heads() + 2 * shape.keyValueHeads()) * shape.headDim();
        int start = 0;
        for (int span = 0; span < batch.size(); span++) {
            for (int i = 0; i < batch.count(span); i++, start += width) {
                int position = batch.position(span) + i;
                float[] table = rotary.at(position);
                for (int head = 0; head < shape.heads() + shape.keyValueHeads(); head++) {
                    RotaryTable.rotate(qkv, start + head * shape.headDim(), table);
                }
                batch.cache(span)
                        .block(position / KeyValueBlock.TOKENS)
                        .store(
                                layer,
                                position % KeyValueBlock.TOKENS,
                                qkv,
                                start + shape.heads() * shape.headDim());
            }
        }
    }
}
