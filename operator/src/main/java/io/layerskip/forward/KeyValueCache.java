package io.layerskip.forward;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.flink.annotation.Internal;

/**
 * Keys and values of one sequence, shared by draft and verification, in blocks.
 *
 * <p>The cache does not know how much of it is valid: a pass is told the position it starts at and
 * overwrites what lies from there on, so rolling back is starting the next pass at an earlier
 * position. Positions that a {@link PrefixCache} knows are never written again.
 */
@Internal
public final class KeyValueCache implements AutoCloseable {

    private final KeyValueMemory memory;
    private final List<KeyValueBlock> blocks = new ArrayList<>();

    public KeyValueCache(KeyValueMemory memory) {
        this.memory = memory;
    }

    /** The block of positions [index x {@value KeyValueBlock#TOKENS}, ...). */
    KeyValueBlock block(int index) {
        return blocks.get(index);
    }

    /** Tokens that there is room for now. */
    public int capacity() {
        return blocks.size() * KeyValueBlock.TOKENS;
    }

    /**
     * Makes room for a number of tokens; keeps what is cached.
     *
     * @return whether there was memory enough
     */
    public boolean reserve(int tokens) {
        while (capacity() < tokens) {
            Optional<KeyValueBlock> block = memory.allocate();
            if (block.isEmpty()) {
                return false;
            }
            blocks.add(block.get());
        }
        return true;
    }

    /** Gives the last block back; what it held has to be computed again. */
    public void giveBack() {
        memory.release(blocks.remove(blocks.size() - 1));
    }

    /** Adds a block that others own as well; all its positions must be valid. */
    void share(KeyValueBlock block) {
        block.retain();
        blocks.add(block);
    }

    /** Gives all blocks back; the cache is empty then and can be used again. */
    @Override
    public void close() {
        blocks.forEach(memory::release);
        blocks.clear();
    }
}
