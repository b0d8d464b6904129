package io.layerskip.engine;

import io.layerskip.forward.KeyValueCache;
import io.layerskip.forward.LayerSkipModel;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;

/**
 * The tokens of one request while it is generated, how to go on, and its part of a round.
 *
 * <p>All tokens but the last have gone through the model and stand in the cache, once the sequence
 * is prefilled; the last one enters the next round. A sequence that gave its cache up is prefilled
 * again, what it has written included.
 */
final class Sequence implements AutoCloseable {

    /** Told of each token as it is written. */
    @FunctionalInterface
    interface TokenListener {

        /**
         * @param drafted whether the token was an accepted draft
         * @return whether the sequence goes on
         */
        boolean wrote(boolean drafted);
    }

    /** Drafts that "fares like the others" counts for. */
    private static final double PRIOR = 8;

    private final int[] tokens;
    private final int promptLength;
    private final Drafting drafting;
    private final int[] endTokens;
    private final Sampling sampling;
    private final long seed;
    private final KeyValueCache cache;

    private int length;
    private int cached;
    private int cachedPromptTokens;
    private int drafted;
    private int accepted;
    private int rounds;
    private double expected;
    private double came;

    private final int[] drafts = new int[GenerationParameters.MAX_ASSISTANT_TOKENS];
    private final double[] confidences = new double[GenerationParameters.MAX_ASSISTANT_TOKENS];
    private final double[] acceptances = new double[GenerationParameters.MAX_ASSISTANT_TOKENS];
    private final int[] exitRows = new int[LayerSkipModel.MAX_ROWS];
    private final int[] choices = new int[GenerationParameters.MAX_ASSISTANT_TOKENS + 1];
    private int limit;
    private int draftCount;
    private int rows;
    private int pending;
    private boolean prefilling;
    private double survival;
    private RuntimeException failure;

    /**
     * How a request wants to draft.
     *
     * @param exitLayer an open exit
     * @param numAssistantTokens drafts a round, 0 for plain decoding; empty to find out
     * @param confidenceThreshold the draft ends where the exit is less sure of its token
     */
    record Drafting(int exitLayer, OptionalInt numAssistantTokens, double confidenceThreshold) {}

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
        this.tokens = Arrays.copyOf(prompt, prompt.length + maxTokens);
        this.promptLength = prompt.length;
        this.drafting = drafting;
        this.endTokens = endTokens.stream().mapToInt(token -> token).sorted().toArray();
        this.sampling = sampling;
        this.seed = seed;
        this.cache = cache;
        this.length = prompt.length;
    }

    /**
     * Whether an earlier run of this request can have stopped behind these tokens, with some left
     * to write.
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

    /** Whether nothing but the last token, if it was written, has yet to go through the model. */
    boolean prefilled() {
        return completionLength() > 0 && cached == length - 1;
    }

    int exitLayer() {
        return drafting.exitLayer();
    }

    boolean draftsAutomatically() {
        return drafting.numAssistantTokens().isEmpty();
    }

    double confidenceThreshold() {
        return drafting.confidenceThreshold();
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

    boolean ends(int token) {
        return Arrays.binarySearch(endTokens, token) >= 0;
    }

    /** Whether the last token written is an end, or none may follow. */
    boolean ended() {
        return remaining() == 0 || completionLength() > 0 && ends(tokens[length - 1]);
    }

    int lastToken() {
        return tokens[length - 1];
    }

    /** Notes that so many tokens were found in the cache, computed for another sequence. */
    void foundInCache(int count) {
        cached = count;
        cachedPromptTokens = Math.min(count, promptLength);
    }

    int cachedPromptTokens() {
        return cachedPromptTokens;
    }

    /** Gives the cache up; what it held has to be computed again. */
    void preempt() {
        cache.close();
        cached = 0;
    }

    /** Starts a round behind the last token written; at most so many tokens are drafted. */
    void startRound(int mostDrafts) {
        start(1, mostDrafts);
        prefilling = false;
    }

    /**
     * Starts a round with a part of the prompt, of at most so many tokens. Behind the end of the
     * prompt, tokens are drafted as behind any other.
     */
    void startChunk(int mostTokens, int mostDrafts) {
        int chunk = Math.min(length - cached, mostTokens);
        start(chunk, cached + chunk == length ? mostDrafts : 0);
        prefilling = true;
    }

    /**
     * The model adds a token of its own to the drafts, so there is no use for more of them than may
     * still be written, less one.
     */
    private void start(int rows, int mostDrafts) {
        int wanted =
                drafting.numAssistantTokens().orElse(GenerationParameters.MAX_ASSISTANT_TOKENS);
        limit = Math.max(0, Math.min(Math.min(wanted, remaining() - 1), mostDrafts));
        draftCount = 0;
        pending = rows;
        this.rows = rows;
        survival = draftsAutomatically() ? 1 : Double.POSITIVE_INFINITY;
        failure = null;
    }

    /** Takes no part in the round that starts. */
    void leaveRound() {
        rows = 0;
    }

    boolean inRound() {
        return rows > 0;
    }

    /** Whether this round takes a part of the prompt. */
    boolean isPrefilling() {
        return prefilling;
    }

    /** Tokens known before this round that it takes: a part of the prompt, or the last written. */
    int pending() {
        return pending;
    }

    /** Whether they are all that were left, so that something is written behind them. */
    boolean writes() {
        return cached + pending == length;
    }

    /** Most positions that the cache needs in this round. */
    int positionsNeeded() {
        return cached + pending + limit;
    }

    /** Whether the round's draft may grow. */
    boolean mayDraft() {
        return failure == null && draftCount < limit && rows == pending + draftCount;
    }

    /**
     * Adds a draft.
     *
     * @param probability that the model accepts it, if it does all before it
     */
    void addDraft(int token, double confidence, double probability) {
        drafts[draftCount] = token;
        confidences[draftCount] = confidence;
        acceptances[draftCount] = probability;
        draftCount++;
        survival *= probability;
    }

    /**
     * Whether the last draft has yet to take its row; an end is followed by nothing, so has none.
     */
    boolean awaitsRow() {
        return rows < pending + draftCount && !ends(lastDraft());
    }

    /** Adds the last draft's row. */
    void addRow(int kept) {
        exitRows[rows++] = kept;
    }

    int draftCount() {
        return draftCount;
    }

    int lastDraft() {
        return drafts[draftCount - 1];
    }

    /** Probability that all of this round's drafts are accepted; infinite for a fixed length. */
    double survival() {
        return survival;
    }

    /** Rows that the remainder takes of this sequence. */
    int rows() {
        return rows;
    }

    /** Where the exit's hidden state of a row is kept until the remainder takes it. */
    int exitRow(int row) {
        return exitRows[row];
    }

    void exitRow(int row, int kept) {
        exitRows[row] = kept;
    }

    /** Notes what the model writes behind the last known token and so many drafts. */
    void choose(int drafts, int token) {
        choices[drafts] = token;
    }

    /** Notes that this round went wrong for this sequence alone. */
    void fail(RuntimeException reason) {
        failure = reason;
    }

    /** How much better, or worse, the drafts of this sequence fare than their confidence says. */
    double luck() {
        return (came + PRIOR) / (expected + PRIOR);
    }

    /**
     * Ends a round: writes drafts as long as they are what the model writes, then one token of the
     * model's own.
     *
     * @return how many tokens were written
     * @throws RuntimeException what {@link #fail} was told, or the listener threw
     */
    int accept(DraftPolicy policy, TokenListener listener) {
        if (failure != null) {
            throw failure;
        }
        if (!writes()) {
            cached += pending;
            return 0;
        }
        int before = length;
        rounds += prefilling ? 0 : 1;
        drafted += draftCount;
        boolean goesOn = true;
        for (int row = 0; row <= rows - pending && goesOn; row++) {
            write(choices[row]);
            boolean isDraft = row < draftCount && choices[row] == drafts[row];
            if (row < draftCount) {
                policy.observe(confidences[row], isDraft);
                expected += acceptances[row];
                came += isDraft ? 1 : 0;
            }
            accepted += isDraft ? 1 : 0;
            goesOn = listener.wrote(isDraft) && isDraft;
        }
        cached = length - 1;
        return length - before;
    }

    private void write(int token) {
        tokens[length++] = token;
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
