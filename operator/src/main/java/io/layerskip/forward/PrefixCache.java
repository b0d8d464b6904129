package io.layerskip.forward;

import java.util.Arrays;
import java.util.Comparator;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.apache.flink.annotation.Internal;

/**
 * Keys and values of the beginnings of earlier prompts, found again by their tokens: a template or
 * an instruction that many prompts start with is computed once.
 *
 * <p>A tree of blocks, as in RadixAttention (Zheng et al., 2024, section 3). Whole blocks are
 * shared by reference. Where a prompt leaves the known path within a block, that block is copied
 * and the copy is used up to there, so a match is as long as the tokens agree. What nobody uses is
 * given up, least recently used first, when memory is short.
 *
 * <p>A path is used from its deepest node up, so every node comes after its descendants in the
 * order of use. What was not used for the longest time is therefore a leaf, and is found without a
 * search. Not thread-safe.
 */
@Internal
public final class PrefixCache {

    private final KeyValueMemory memory;
    private final int limit;
    private final Node root = new Node(null, new int[0], null);

    /** All nodes but the root; the one not used for the longest time comes first. */
    private final Set<Node> byUse = new LinkedHashSet<>();

    private static final class Node {
        private final Node parent;
        private final int[] tokens;
        private final KeyValueBlock block;
        private final NavigableMap<int[], Node> children = new TreeMap<>(Arrays::compare);

        Node(Node parent, int[] tokens, KeyValueBlock block) {
            this.parent = parent;
            this.tokens = tokens;
            this.block = block;
        }

        /**
         * The child that begins like these tokens for longest: among the sorted children, the last
         * one up to them or the first one from them on.
         */
        Optional<Node> closestChild(int[] wanted) {
            return Stream.of(children.floorEntry(wanted), children.ceilingEntry(wanted))
                    .filter(Objects::nonNull)
                    .map(Map.Entry::getValue)
                    .max(Comparator.comparingInt(child -> child.common(wanted)));
        }

        /** How many of the node's tokens the others begin with. */
        int common(int[] others) {
            int mismatch = Arrays.mismatch(tokens, others);
            return mismatch < 0 ? tokens.length : mismatch;
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
     * @throws IllegalArgumentException if the cache has a block
     */
    public int load(int[] tokens, int end, KeyValueCache cache) {
        requireEmpty(cache);
        Node node = root;
        int at = 0;
        while (true) {
            int[] wanted = block(tokens, at, end);
            Optional<Node> closest = node.closestChild(wanted);
            int common = closest.map(child -> child.common(wanted)).orElse(0);
            if (common > 0) {
                node = closest.get();
            }
            if (common < KeyValueBlock.TOKENS) {
                use(node);
                return common > 0 && copy(node, at + common, cache) ? at + common : at;
            }
            cache.share(node.block);
            at += common;
        }
    }

    /**
     * Fills an empty cache with the beginning of another one, which goes on: whole blocks are
     * shared, and of one that is not whole a copy is made, if there is memory for it.
     *
     * @param tokens that the other one holds, at least
     * @return how many tokens the cache holds now
     * @throws IllegalArgumentException if the cache has a block
     */
    public int fork(KeyValueCache other, int tokens, KeyValueCache cache) {
        requireEmpty(cache);
        int whole = tokens / KeyValueBlock.TOKENS;
        for (int block = 0; block < whole; block++) {
            cache.share(other.block(block));
        }
        int shared = whole * KeyValueBlock.TOKENS;
        if (shared == tokens || !reserve(cache, tokens)) {
            return shared;
        }
        cache.block(whole).copyFrom(other.block(whole));
        return tokens;
    }

    private static void requireEmpty(KeyValueCache cache) {
        if (cache.capacity() > 0) {
            throw new IllegalArgumentException(
                    "a prefix is loaded into a cache with room for " + cache.capacity());
        }
    }

    /** The tokens of the block that starts at a position, as far as there are any. */
    private static int[] block(int[] tokens, int at, int end) {
        return Arrays.copyOfRange(tokens, at, Math.min(at + KeyValueBlock.TOKENS, end));
    }

    /** Notes that a node, and so all on the way to it, is used now. */
    private void use(Node node) {
        for (Node used = node; used != root; used = used.parent) {
            byUse.remove(used);
            byUse.add(used);
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
        int at = 0;
        while (at < end) {
            int[] wanted = block(tokens, at, end);
            Optional<Node> known =
                    node.closestChild(wanted)
                            .filter(child -> child.common(wanted) == wanted.length);
            if (known.isEmpty()) {
                break;
            }
            node = known.get();
            at += wanted.length;
        }
        // Before anything is added, so that what is given up for it is not on this path.
        use(node);
        while (at < end && (byUse.size() < limit || evict(node))) {
            node = add(node, block(tokens, at, end), cache.block(at / KeyValueBlock.TOKENS));
            at += node.tokens.length;
        }
        use(node);
    }

    private Node add(Node parent, int[] tokens, KeyValueBlock block) {
        block.retain();
        Node node = new Node(parent, tokens, block);
        parent.children.put(tokens, node);
        byUse.add(node);
        return node;
    }

    /** Makes room in a cache, if need be by giving up what is remembered here. */
    public boolean reserve(KeyValueCache cache, int tokens) {
        while (!cache.reserve(tokens)) {
            if (!evict(root)) {
                return false;
            }
        }
        return true;
    }

    /** Whether so many blocks are free or only kept here. */
    public boolean hasRoom(int blocks) {
        return memory.capacity() - memory.used() + byUse.size() >= blocks;
    }

    /**
     * Gives up the leaf that was not used for the longest time.
     *
     * @param kept stays, with all on the way to it
     * @return whether there was a leaf to give up
     */
    private boolean evict(Node kept) {
        Iterator<Node> nodes = byUse.iterator();
        Node oldest = nodes.hasNext() ? nodes.next() : kept;
        // Only while a path is added can the oldest have children: then all others are gone.
        if (oldest == kept || !oldest.children.isEmpty()) {
            return false;
        }
        nodes.remove();
        oldest.parent.children.remove(oldest.tokens);
        memory.release(oldest.block);
        return true;
    }
}
