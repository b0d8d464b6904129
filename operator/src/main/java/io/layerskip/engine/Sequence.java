package io.layerskip.engine;

import java.util.Arrays;
import java.util.Set;

/**
 * The tokens of one request while it is generated, and how to go on.
 *
 * <p>All tokens but the last have gone through the model and stand in the cache; the last one
 * enters the next round.
 */
final class Sequence implements AutoCloseable {

    private final int[] tokens;
    private final int promptLength;
    private final int exitLayer;
    private final int numAssistantTokens;
    private final Set<Integer> endTokens;
    private final Sampling sampling;
    private final SplitMix64 random;
    private final KeyValueCache cache;

    private int length;
    private int cached;
    private int drafted;
    private int accepted;
    private int rounds;

    /**
     * @param prompt token ids, at least one
     * @param maxTokens most tokens to write, at least 1; with the prompt's no more than the context
     * @param exitLayer an open exit
     * @param numAssistantTokens drafts a round; 0 for plain decoding
     * @param endTokens tokens that end the sequence
     * @param cache empty; closed with the sequence
     */
    Sequence(
            int[] prompt,
            int maxTokens,
            int exitLayer,
            int numAssistantTokens,
            Set<Integer> endTokens,
            Sampling sampling,
            long seed,
            KeyValueCache cache) {
        this.tokens = Arrays.copyOf(prompt, prompt.length + maxTokens);
        this.promptLength = prompt.length;
        this.exitLayer = exitLayer;
        this.numAssistantTokens = numAssistantTokens;
        this.endTokens = Set.copyOf(endTokens);
        this.sampling = sampling;
        this.random = new SplitMix64(seed);
        this.cache = cache;
        this.length = prompt.length;
    }

    /** Prompt and completion; valid up to {@link #length()}. */
    int[] tokens() {
        return tokens;
    }

    int length() {
        return length;
    }

    int promptLength() {
        return promptLength;
    }

    int completionLength() {
        return length - promptLength;
    }

    /** How many tokens may still be written. */
    int remaining() {
        return tokens.length - length;
    }

    /** How many tokens have gone through the whole model. */
    int cached() {
        return cached;
    }

    boolean prefilled() {
        return cached >= promptLength;
    }

    int exitLayer() {
        return exitLayer;
    }

    /** How many tokens the next round drafts: the full model adds one of its own. */
    int draftLength() {
        return Math.min(numAssistantTokens, remaining() - 1);
    }

    Sampling sampling() {
        return sampling;
    }

    SplitMix64 random() {
        return random;
    }

    KeyValueCache cache() {
        return cache;
    }

    boolean ends(int token) {
        return endTokens.contains(token);
    }

    /** Whether the last token written is an end, or none may follow. */
    boolean ended() {
        return remaining() == 0 || completionLength() > 0 && ends(tokens[length - 1]);
    }

    int lastToken() {
        return tokens[length - 1];
    }

    void append(int token) {
        tokens[length++] = token;
    }

    /** Notes that the tokens before {@code position} stand in the cache. */
    void cachedUpTo(int position) {
        cached = position;
    }

    void countRound(int draftedTokens, int acceptedTokens) {
        rounds++;
        drafted += draftedTokens;
        accepted += acceptedTokens;
    }

    int drafted() {
        return drafted;
    }

    int accepted() {
        return accepted;
    }

    int rounds() {
        return rounds;
    }

    @Override
    public void close() {
        cache.close();
    }
}
