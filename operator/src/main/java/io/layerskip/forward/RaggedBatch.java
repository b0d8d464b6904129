package io.layerskip.forward;

import java.util.Arrays;
import org.apache.flink.annotation.Internal;

/**
 * Whose tokens the rows of a pass are: spans of rows, each consecutive positions of one sequence. A
 * buffer that is filled anew for every pass.
 */
@Internal
public final class RaggedBatch {

    private KeyValueCache[] caches = new KeyValueCache[16];
    private int[] positions = new int[16];
    private int[] counts = new int[16];
    private int size;
    private int rows;

    public void clear() {
        Arrays.fill(caches, 0, size, null);
        size = 0;
        rows = 0;
    }

    /** Adds a span of {@code count} rows behind the others. */
    public void add(KeyValueCache cache, int position, int count) {
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
    }

    public int size() {
        return size;
    }

    /** Rows of all spans together. */
    public int rows() {
        return rows;
    }

    public KeyValueCache cache(int span) {
        return caches[span];
    }

    /** Position in its sequence of the span's first row. */
    public int position(int span) {
        return positions[span];
    }

    public int count(int span) {
        return counts[span];
    }
}
