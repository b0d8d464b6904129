package io.layerskip.forward;

import io.layerskip.model.Checkpoint;
import io.layerskip.model.CheckpointException;
import io.layerskip.model.WeightRows;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ForkJoinPool;

/**
 * The greatest logits without the head's product, which for a large vocabulary takes longer than
 * the early layers: {@link HeadCodes} say which may be the greatest, and only those are computed,
 * with the checkpoint's rows. It misses the very greatest now and then, so it is for drafts alone.
 * Not thread-safe.
 */
final class DraftHead {

    /** Logits that are computed. */
    private static final int CANDIDATES = 512;

    /** Each keeps its share of the candidates, whichever part has the greatest logits. */
    private static final int MAX_PARTS = 4;

    private final HeadCodes codes;
    private final WeightRows head;
    private final float[] finalNorm;
    private final float epsilon;
    private final float[] noLogits;
    private final float[] normed;
    private final float[] rotated;
    private final CodedVector query;
    private final List<Part> parts = new ArrayList<>();
    private final ForkJoinPool pool;

    /** A range of blocks, and room for the thread that searches it. */
    private final class Part {
        private final int from;
        private final int to;
        private final int[] counts = new int[HeadCodes.TOKENS];
        private final float[] estimates = new float[HeadCodes.TOKENS];
        private final BestTokens best;
        private final float[] logits;

        Part(int from, int to, int candidates) {
            this.from = from;
            this.to = to;
            this.best = new BestTokens(candidates);
            this.logits = new float[candidates];
        }

        void search() {
            best.clear();
            for (int block = from; block < to; block++) {
                codes.estimate(block, query, counts, estimates);
                int first = block * HeadCodes.TOKENS;
                int count = Math.min(HeadCodes.TOKENS, codes.vocabSize() - first);
                for (int i = 0; i < count; i++) {
                    best.offer(first + i, estimates[i]);
                }
            }
            best.finish();
            for (int i = 0; i < best.count(); i++) {
                logits[i] = head.dot(best.token(i), normed);
            }
        }

        void write(FloatBuffer target, int start) {
            for (int i = 0; i < best.count(); i++) {
                target.put(start + best.token(i), logits[i]);
            }
        }
    }

    /**
     * @param pool searches side by side where it has more than one thread; stays the caller's
     */
    DraftHead(Checkpoint checkpoint, HeadCodes codes, ForkJoinPool pool)
            throws CheckpointException {
        this.codes = codes;
        this.head = checkpoint.head();
        this.finalNorm = checkpoint.finalNorm();
        this.epsilon = checkpoint.config().rmsNormEps();
        this.noLogits = new float[codes.vocabSize()];
        Arrays.fill(noLogits, Float.NEGATIVE_INFINITY);
        this.normed = new float[finalNorm.length];
        this.rotated = new float[finalNorm.length];
        this.query = new CodedVector(finalNorm.length);
        this.pool = pool;
        int threads = Math.min(pool.getParallelism(), MAX_PARTS);
        int blocks = codes.blocks();
        for (int part = 0; part < threads; part++) {
            parts.add(
                    new Part(
                            blocks * part / threads,
                            blocks * (part + 1) / threads,
                            CANDIDATES / threads));
        }
    }

    /**
     * Computes the greatest logits of a row; the others become negative infinity.
     *
     * @param hidden [rows, hidden]
     * @param logits [rows, vocab]
     */
    void logits(TokenRows hidden, int row, TokenRows logits) {
        normalise(hidden, row);
        System.arraycopy(normed, 0, rotated, 0, normed.length);
        codes.rotation().rotate(rotated);
        query.set(rotated);
        logits.write(row, noLogits, 0);
        int start = row * logits.width();
        if (parts.size() == 1) {
            parts.get(0).search();
        } else {
            SideBySide.run(pool, parts.size(), part -> parts.get(part).search());
        }
        parts.forEach(part -> part.write(logits.values(), start));
    }

    /** RMS norm (Zhang and Sennrich, 2019). */
    private void normalise(TokenRows hidden, int row) {
        hidden.read(row, normed, 0);
        float squares = 0;
        for (float element : normed) {
            squares += element * element;
        }
        float scale = (float) (1 / Math.sqrt(squares / normed.length + epsilon));
        for (int i = 0; i < normed.length; i++) {
            normed[i] *= scale * finalNorm[i];
        }
    }
}
