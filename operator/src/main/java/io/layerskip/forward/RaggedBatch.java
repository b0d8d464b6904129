package io.layerskip.forward;

import java.util.Arrays;
import org.apache.flink.annotation.Internal;

/**
 * Whose tokens the rows of a pass are: spans of rows, each consecutive positions of one sequence. A
 * buffer that is filled again for every pass.
 */
@Internal
public final class RaggedBatch {

    private KeyValueCache[] caches = new KeyValueCache[16];
    private int[] positions = new int[16];
    private int[] counts = new int[16];
    private int[] leavingRows = new int[16];
    private int size;
    private int rows;
    private int leaving;

    public void clear() {
        Arrays.fill(caches, 0, size, null);
        size = 0;
        rows = 0;
        leaving = 0;
    }

    /** Adds a span of {@code count} rows after the others; none of them leaves the model. */
    public void add(KeyValueCache cache, int position, int count) {
        add(cache, position, count, 0);
    }

    /**
     * Adds a span of rows after the others.
     *
     * @param cache of the sequence, with room for all of them
     * @param position in the sequence of the first
     * @param count of rows
     * @param leaving how many of the last ones leave the model in {@link
     *     LayerSkipModel#forwardLast}
     */
    public void add(KeyValueCache cache, int position, int count, int leaving) {
        if (position + count > cache.capacity()) {
            throw new IllegalArgumentException(
                    (position + count) + " tokens in a cache for " + cache.capacity());
        }
        if (size == counts.length) {
            caches = Arrays.copyOf(caches, 2 * size);
            positions = Arrays.copyOf(positions, 2 * size);
            counts = Arrays.copyOf(counts, 2 * size);
        }
        caches[size] = cache;
        positions[size] = position;
        counts[size] = count;
        size++;
        rows += count;
        if (this.leaving + leaving > leavingRows.length) {
            leavingRows = Arrays.copyOf(leavingRows, 2 * (this.leaving + leaving));
        }
        for (int row = rows - leaving; row < rows; row++) {
            leavingRows[this.leaving++] = row;
        }
    }

    public int size() {
        return size;
    }

    /** Rows of all spans together. */
    public int rows() {
        return rows;
    }

    /** How many of them leave the model. */
    public int leaving() {
        return leaving;
    }

    /** Those that leave, rising; valid up to {@link #leaving}. */
    int[] leavingRows() {
        return leavingRows;
    }

    KeyValueCache cache(int span) {
        return caches[span];
    }

    /** Position in its sequence of the span's first row. */
    int position(int span) {
        return positions[span];
    }

    int count(int span) {
        return counts[span];
    }
}
