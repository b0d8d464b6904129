package io.layerskip.forward;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.apache.flink.annotation.Internal;

/**
 * Keys and values of the beginnings of earlier prompts, found again by their tokens: a template or
 * an instruction that many prompts start with is computed once.
 *
 * <p>A tree of blocks, as in RadixAttention (Zheng et al., 2024, section 3). Whole blocks are
 * shared by reference. Where a prompt leaves the known path within a block, that block is copied
 * and the copy is used up to there, so a match is as long as the tokens agree. What nobody uses is
 * given up, least recently used first, when memory is short. Not thread-safe.
 */
@Internal
public final class PrefixCache {

    private final KeyValueMemory memory;
    private final int limit;
    private final Node root = new Node(null, new int[0], null);
    private int size;
    private long clock;

    private static final class Node {
        private final Node parent;
        private final int[] tokens;
        private final KeyValueBlock block;
        private final List<Node> children = new ArrayList<>();
        private long lastUsed;

        Node(Node parent, int[] tokens, KeyValueBlock block) {
            this.parent = parent;
            this.tokens = tokens;
            this.block = block;
        }

        /** How many of the node's tokens stand at {@code from}. */
        int common(int[] sequence, int from, int end) {
            int length = Math.min(tokens.length, end - from);
            int mismatch = Arrays.mismatch(tokens, 0, length, sequence, from, from + length);
            return mismatch < 0 ? length : mismatch;
        }
    }

    /**
     * @param limit most blocks that are kept; 0 keeps nothing
     */
    public PrefixCache(KeyValueMemory memory, int limit) {
        this.memory = memory;
        this.limit = limit;
    }

    /**
     * Fills an empty cache with the longest known beginning of the tokens.
     *
     * @param end take at most the tokens before it
     * @return how many tokens the cache holds now
     */
    public int load(int[] tokens, int end, KeyValueCache cache) {
        Node node = root;
        int at = 0;
        while (true) {
            Node best = null;
            int longest = 0;
            for (Node child : node.children) {
                int common = child.common(tokens, at, end);
                if (common > longest) {
                    best = child;
                    longest = common;
                }
            }
            if (best == null) {
                return at;
            }
            best.lastUsed = ++clock;
            if (longest < KeyValueBlock.TOKENS) {
                return copy(best, at + longest, cache) ? at + longest : at;
            }
            cache.share(best.block);
            at += longest;
            node = best;
        }
    }

    private boolean copy(Node node, int tokens, KeyValueCache cache) {
        if (!reserve(cache, tokens)) {
            return false;
        }
        cache.block((tokens - 1) / KeyValueBlock.TOKENS).copyFrom(node.block);
        return true;
    }

    /** Remembers the beginning of a sequence, whose first {@code end} tokens stand in the cache. */
    public void store(int[] tokens, int end, KeyValueCache cache) {
        Node node = root;
        for (int at = 0; at < end; at += KeyValueBlock.TOKENS) {
            int length = Math.min(KeyValueBlock.TOKENS, end - at);
            Node known = null;
            for (Node child : node.children) {
                if (child.common(tokens, at, at + length) == length) {
                    known = child;
                }
            }
            if (known == null) {
                known = add(node, tokens, at, length, cache);
                if (known == null) {
                    return;
                }
            }
            known.lastUsed = ++clock;
            node = known;
        }
    }

    /** A new node; null if all the room is in use. */
    private Node add(Node parent, int[] tokens, int at, int length, KeyValueCache cache) {
        if (size >= limit && !evict(parent)) {
            return null;
        }
        KeyValueBlock block = cache.block(at / KeyValueBlock.TOKENS);
        block.retain();
        Node node = new Node(parent, Arrays.copyOfRange(tokens, at, at + length), block);
        parent.children.add(node);
        size++;
        return node;
    }

    /** Makes room in a cache, if need be by giving up what is remembered here. */
    public boolean reserve(KeyValueCache cache, int tokens) {
        while (!cache.reserve(tokens)) {
            if (!evict(null)) {
                return false;
            }
        }
        return true;
    }

    /** Whether so many blocks are free or only kept here. */
    public boolean hasRoom(int blocks) {
        return memory.capacity() - memory.used() + size >= blocks;
    }

    /** Gives up the leaf that was not used for the longest time; returns whether there was one. */
    private boolean evict(Node kept) {
        Optional<Node> oldest = oldestLeaf(root, kept);
        oldest.ifPresent(
                leaf -> {
                    leaf.parent.children.remove(leaf);
                    memory.release(leaf.block);
                    size--;
                });
        return oldest.isPresent();
    }

    private Optional<Node> oldestLeaf(Node node, Node kept) {
        Optional<Node> oldest = Optional.empty();
        for (Node child : node.children) {
            Optional<Node> candidate =
                    child.children.isEmpty() && child != kept
                            ? Optional.of(child)
                            : oldestLeaf(child, kept);
            if (candidate.isPresent()
                    && (oldest.isEmpty() || candidate.get().lastUsed < oldest.get().lastUsed)) {
                oldest = candidate;
            }
        }
        return oldest;
    }
}
