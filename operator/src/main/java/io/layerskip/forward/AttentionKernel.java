package io.layerskip.forward;

import io.layerskip.model.ModelConfig;

/**
 * Attention of consecutive rows of one sequence with one key/value head.
 *
 * <p>The softmax is taken over {@value #SEGMENT_TOKENS} tokens at a time, and what was summed up is
 * scaled when a later segment has a greater score, as in FlashAttention (Dao et al., 2022, section
 * 3.1). Segments start at fixed positions, and implementations add in the same order: over elements
 * and over tokens in fours, each four as (a + b) + (c + d). So a row's result is the same, bit by
 * bit, whichever of them computes it and with whichever rows. Not thread-safe.
 */
interface AttentionKernel {

    /** Tokens that share a greatest score. */
    int SEGMENT_TOKENS = 512;

    /**
     * @param qkv [rows of the pass, query, key and value heads x head width]; queries are rotated
     * @param attended [rows of the pass, query heads x head width]
     */
    void attend(Task task, float[] qkv, float[] attended);

    /**
     * What one call computes.
     *
     * @param cache holds the keys and values of all rows
     * @param position in the sequence of the first row
     * @param row the first row in the pass
     * @param rows how many
     */
    record Task(int layer, int keyValueHead, KeyValueCache cache, int position, int row, int rows) {

        /** Tokens that the last row sees. */
        int context() {
            return position + rows;
        }
    }

    /**
     * @param group query heads that share a key/value head
     * @param scale what scores are multiplied by
     */
    record Shape(int heads, int keyValueHeads, int headDim, int group, float scale) {

        static Shape of(ModelConfig config) {
            return new Shape(
                    config.numAttentionHeads(),
                    config.numKeyValueHeads(),
                    config.headDim(),
                    config.numAttentionHeads() / config.numKeyValueHeads(),
                    (float) (1 / Math.sqrt(config.headDim())));
        }

        /** Where a task's query starts; a row's follow each other. */
        int query(Task task, int index) {
            return (row(task, index) * (heads + 2 * keyValueHeads) + head(task, index)) * headDim;
        }

        /** Where what a task's query attends to goes. */
        int target(Task task, int index) {
            return (row(task, index) * heads + head(task, index)) * headDim;
        }

        private int row(Task task, int index) {
            return task.row() + index / group;
        }

        private int head(Task task, int index) {
            return task.keyValueHead() * group + index % group;
        }
    }
}
