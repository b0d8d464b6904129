package io.layerskip.forward;

import io.layerskip.model.ModelConfig;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Optional;
import org.apache.flink.annotation.Internal;

/**
 * The blocks that all sequences of an engine share, within a bound. Blocks are allocated when first
 * needed and used again ever after, so that steady traffic allocates nothing. Not thread-safe.
 */
@Internal
public final class KeyValueMemory {

    private final ModelConfig config;
    private final KeyValueCacheType type;
    private final int capacity;
    private final Deque<KeyValueBlock> free = new ArrayDeque<>();
    private int allocated;

    /**
     * @param type how keys and values are kept
     * @param bytes most memory for keys and values
     * @throws IllegalArgumentException if not even one block fits
     */
    public KeyValueMemory(ModelConfig config, KeyValueCacheType type, long bytes) {
        this.config = config;
        this.type = type;
        long blockBytes = type.blockBytes(config);
        if (bytes < blockBytes) {
            throw new IllegalArgumentException(
                    "kv-cache-memory is %d bytes; allowed: at least %d, which hold %d tokens of this model"
                            .formatted(bytes, blockBytes, KeyValueBlock.TOKENS));
        }
        this.capacity =
                (int) Math.min(bytes / blockBytes, Integer.MAX_VALUE / KeyValueBlock.TOKENS);
    }

    /** Blocks that there may be. */
    public int capacity() {
        return capacity;
    }

    /** Blocks that are owned by somebody. */
    public int used() {
        return allocated - free.size();
    }

    /** A block whose one owner is the caller; empty if all are taken. */
    Optional<KeyValueBlock> allocate() {
        KeyValueBlock block = free.poll();
        if (block == null) {
            if (allocated == capacity) {
                return Optional.empty();
            }
            block = type.newBlock(config);
            allocated++;
        }
        block.retain();
        return Optional.of(block);
    }

    /** Gives up one ownership of a block. */
    void release(KeyValueBlock block) {
        if (block.release()) {
            free.push(block);
        }
    }
}
