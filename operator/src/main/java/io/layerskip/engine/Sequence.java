package io.layerskip.engine;

import io.layerskip.forward.KeyValueCache;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;

/**
 * The tokens of one request while it is generated, and how to go on.
 *
 * <p>All tokens but the last have gone through the model and stand in the cache, once the sequence
 * is prefilled; the last one enters the next round. What it gives up of its cache it takes through
 * the model again, tokens that it has written included.
 */
final class Sequence implements AutoCloseable {

    /** Drafts that "fares like the others" counts for. */
    private static final double PRIOR = 8;

    private static final int FIRST_TOKENS = 64;

    private final int promptLength;
    private final int maxLength;
    private final Drafting drafting;
    private final int[] endTokens;
    private final Sampling sampling;
    private final long seed;
    private final KeyValueCache cache;

    /** Replaced by a larger one when it is full: what others have seen of it stays. */
    private int[] tokens;

    private int length;
    private int cached;
    private int cachedPromptTokens;

    /** Whether any of its tokens went through the model. */
    private boolean computed;

    private int drafted;
    private int accepted;
    private int rounds;
    private double expected;
    private double came;

    /**
     * How a request wants to draft.
     *
     * @param exitLayer an open exit; empty for the one that pays most
     * @param numAssistantTokens drafts a round, 0 for plain decoding; empty to find out
     * @param confidenceThreshold the draft ends where the exit is less sure of its token
     */
    record Drafting(
            OptionalInt exitLayer, OptionalInt numAssistantTokens, double confidenceThreshold) {}

    /**
     * @param prompt token ids, at least one
     * @param maxTokens most tokens to write, at least 1; with the prompt's no more than the context
     * @param endTokens tokens that end the sequence
     * @param cache empty; closed with the sequence
     */
    Sequence(
            int[] prompt,
            int maxTokens,
            Drafting drafting,
            Set<Integer> endTokens,
            Sampling sampling,
            long seed,
            KeyValueCache cache) {
        this.tokens = Arrays.copyOf(prompt, prompt.length + Math.min(maxTokens, FIRST_TOKENS));
        this.promptLength = prompt.length;
        this.maxLength = prompt.length + maxTokens;
        this.drafting = drafting;
        this.endTokens = endTokens.stream().mapToInt(token -> token).sorted().toArray();
        this.sampling = sampling;
        this.seed = seed;
        this.cache = cache;
        this.length = prompt.length;
    }

    /**
     * Whether an earlier run of this request can have stopped after these tokens, with some left to
     * write.
     */
    boolean canResume(List<Integer> written) {
        return written.size() < remaining() && written.stream().noneMatch(this::ends);
    }

    /** Takes over what an earlier run has written, before the first round. */
    void resume(GenerationProgress progress) {
        progress.tokenIds().forEach(this::write);
        drafted = progress.statistics().draftedTokens();
        accepted = progress.statistics().acceptedTokens();
        rounds = progress.statistics().rounds();
    }

    /** Prompt and completion; valid up to {@link #length()}. */
    int[] tokens() {
        return tokens;
    }

    int length() {
        return length;
    }

    /** Length of prompt and completion if as much is written as may be. */
    int maxLength() {
        return maxLength;
    }

    int promptLength() {
        return promptLength;
    }

    int completionLength() {
        return length - promptLength;
    }

    /** How many tokens may still be written. */
    int remaining() {
        return maxLength - length;
    }

    /** How many tokens have gone through the whole model. */
    int cached() {
        return cached;
    }

    /** Whether nothing but the last token, if it was written, has yet to go through the model. */
    boolean prefilled() {
        return completionLength() > 0 && cached == length - 1;
    }

    Drafting drafting() {
        return drafting;
    }

    Sampling sampling() {
        return sampling;
    }

    /** Every position draws with the seed and its own number, so a draw has no history. */
    long seed() {
        return seed;
    }

    KeyValueCache cache() {
        return cache;
    }

    /** Tokens that end the sequence, rising. */
    int[] endTokens() {
        return endTokens;
    }

    boolean ends(int token) {
        return Arrays.binarySearch(endTokens, token) >= 0;
    }

    /** Whether the last token written is an end, or none may follow. */
    boolean ended() {
        return remaining() == 0 || endedByToken();
    }

    /** Whether the last token written is an end. */
    boolean endedByToken() {
        return completionLength() > 0 && ends(tokens[length - 1]);
    }

    /** Notes that so many tokens were found in the cache, computed for another sequence. */
    void foundInCache(int count) {
        cached = count;
        // Later, what it finds may be its own.
        if (!computed) {
            cachedPromptTokens = Math.min(count, promptLength);
        }
    }

    /** Gives the last block of its cache up; what that held has to be computed again. */
    void giveUpBlock() {
        cache.giveBack();
        cached = Math.min(cached, cache.capacity());
    }

    /** Adds a token. */
    void write(int token) {
        if (length == tokens.length) {
            tokens = Arrays.copyOf(tokens, Math.min(maxLength, 2 * length));
        }
        tokens[length++] = token;
    }

    /** Notes that so many more tokens have gone through the model, with nothing written. */
    void addCached(int count) {
        cached += count;
        computed = true;
    }

    /**
     * Notes that a round has ended, its tokens written.
     *
     * @param prefill whether it took a part of the prompt
     */
    void endRound(boolean prefill, int drafted, int accepted) {
        cached = length - 1;
        computed = true;
        rounds += prefill ? 0 : 1;
        this.drafted += drafted;
        this.accepted += accepted;
    }

    /**
     * Learns what became of a draft.
     *
     * @param acceptance the probability that it was given
     */
    void learn(double acceptance, boolean wasAccepted) {
        expected += acceptance;
        came += wasAccepted ? 1 : 0;
    }

    /** How much better, or worse, the drafts of this sequence fare than their confidence says. */
    double luck() {
        return (came + PRIOR) / (expected + PRIOR);
    }

    /**
     * What it took so far.
     *
     * @param timeToFirstTokenNanos from the request to its first token, in ns
     * @param totalNanos from the request until now, in ns
     */
    GenerationStatistics statistics(long queueNanos, long timeToFirstTokenNanos, long totalNanos) {
        return new GenerationStatistics(
                promptLength,
                cachedPromptTokens,
                completionLength(),
                drafted,
                accepted,
                rounds,
                queueNanos,
                timeToFirstTokenNanos,
                totalNanos);
    }

    @Override
    public void close() {
        cache.close();
    }
}
