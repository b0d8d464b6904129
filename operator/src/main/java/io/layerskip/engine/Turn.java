package io.layerskip.engine;

import io.layerskip.forward.KeyValueCache;
import io.layerskip.forward.LayerSkipModel;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * A sequence's part in a round: the rows that it takes through the model, its drafts, and what the
 * model writes after each of them. It is used again for the sequence's next round.
 *
 * <pre>
 *   tokens known before, but not to the model | drafts
 *        row 0   ...   row pending - 1        | row pending ...
 *                            |                    |
 *                       choice 0              choice 1 ...     what the model writes after each
 * </pre>
 */
final class Turn {

    private static final int MAX_DRAFTS = GenerationParameters.MAX_ASSISTANT_TOKENS;

    private final Sequence sequence;
    private final OptionalInt likely;
    private final int[] drafts = new int[MAX_DRAFTS];
    private final double[] confidences = new double[MAX_DRAFTS];
    private final double[] acceptances = new double[MAX_DRAFTS];
    private final int[] choices = new int[MAX_DRAFTS + 1];
    private final LogProbabilities.Noted[] logprobs;
    private final int[] exitStates = new int[LayerSkipModel.MAX_ROWS];

    private int segment;
    private int pending;
    private boolean prefill;
    private boolean writes;
    private int mostDrafts;
    private int draftCount;
    private int rows;
    private double survival;
    private int accepted;
    private Optional<GenerationFailure> failure = Optional.empty();

    Turn(Sequence sequence) {
        this(sequence, OptionalInt.empty());
    }

    /**
     * @param likely how many likely tokens' log probabilities are noted beside each choice's own;
     *     empty to note none
     */
    Turn(Sequence sequence, OptionalInt likely) {
        this.sequence = sequence;
        this.likely = likely;
        this.logprobs = new LogProbabilities.Noted[likely.isPresent() ? choices.length : 0];
    }

    /**
     * Starts a round after the last token written, or with a part of what has yet to go through the
     * model. After the end of it, tokens are drafted. The model adds a token of its own to the
     * drafts, so there is no use for more of them than may still be written, less one.
     *
     * @param mostTokens of a prompt, at least 1
     * @param mostDrafts that there is room for
     */
    void begin(int mostTokens, int mostDrafts) {
        prefill = !sequence.prefilled();
        pending = Math.min(sequence.length() - sequence.cached(), mostTokens);
        writes = sequence.cached() + pending == sequence.length();
        int wanted = sequence.drafting().numAssistantTokens().orElse(MAX_DRAFTS);
        int useful = Math.min(wanted, sequence.remaining() - 1);
        this.mostDrafts = writes ? Math.max(0, Math.min(useful, mostDrafts)) : 0;
        beginAgain();
    }

    /** Starts the same round once more, after passes that broke; what it drafted is forgotten. */
    void beginAgain() {
        draftCount = 0;
        rows = 0;
        survival = 1;
        accepted = 0;
        failure = Optional.empty();
    }

    Sequence sequence() {
        return sequence;
    }

    KeyValueCache cache() {
        return sequence.cache();
    }

    /**
     * Whether this round takes a part of the prompt, or of what was given up and is taken again.
     */
    boolean isPrefill() {
        return prefill;
    }

    /** Tokens known before this round that it takes through the model. */
    int pending() {
        return pending;
    }

    /** Whether they are all that were left, so that something is written after them. */
    boolean writes() {
        return writes;
    }

    /** Most positions that the cache needs in this round. */
    int positionsNeeded() {
        return sequence.cached() + pending + mostDrafts;
    }

    /** Segment that the rows enter after the early layers. */
    int segment() {
        return segment;
    }

    void enterAt(int segment) {
        this.segment = segment;
    }

    /** Whether the draft may grow. */
    boolean mayDraft() {
        return failure.isEmpty() && draftCount < mostDrafts && rows == pending + draftCount;
    }

    /**
     * Adds a draft.
     *
     * @param acceptance probability that the model accepts it, if it does all before it
     */
    void addDraft(int token, double confidence, double acceptance) {
        drafts[draftCount] = token;
        confidences[draftCount] = confidence;
        acceptances[draftCount] = acceptance;
        draftCount++;
        survival *= acceptance;
    }

    int draftCount() {
        return draftCount;
    }

    /** The token of a draft. */
    int draft(int index) {
        return drafts[index];
    }

    /** The exit's own probability for a draft. */
    double confidence(int draft) {
        return confidences[draft];
    }

    boolean draftsAutomatically() {
        return sequence.drafting().numAssistantTokens().isEmpty();
    }

    /** Probability that all drafts so far are accepted. */
    double survival() {
        return survival;
    }

    /** Rows that have gone through the early layers. */
    int rows() {
        return rows;
    }

    /** Rows that have yet to; an end of the sequence is followed by nothing, so takes none. */
    int rowsLeft() {
        boolean ends = draftCount > 0 && sequence.ends(drafts[draftCount - 1]);
        return pending + draftCount - (ends ? 1 : 0) - rows;
    }

    /** The token of a row. */
    int token(int row) {
        return row < pending ? sequence.tokens()[sequence.cached() + row] : drafts[row - pending];
    }

    /**
     * Adds a row that has gone through the early layers.
     *
     * @param exitState number of the hidden state that left them
     */
    void addRow(int exitState) {
        exitStates[rows++] = exitState;
    }

    int exitState(int row) {
        return exitStates[row];
    }

    /** How many of the last rows the head is asked about: of a prompt's, only the end. */
    int questions() {
        return writes ? rows - pending + 1 : 0;
    }

    /** Notes what the model writes after so many drafts. */
    void choose(int drafts, int token) {
        choices[drafts] = token;
    }

    /** Whether log probabilities are to be noted with what the model writes. */
    boolean notesLogprobs() {
        return likely.isPresent();
    }

    /** How many likely tokens' are, beside the choice's own. */
    int likely() {
        return likely.orElseThrow();
    }

    /** Notes them, for what the model writes after so many drafts. */
    void note(int drafts, LogProbabilities.Noted noted) {
        logprobs[drafts] = noted;
    }

    /** Those of {@link #choice}. */
    LogProbabilities.Noted logprobs(int index) {
        return logprobs[index];
    }

    /** Whether tokens are chosen by the model's logits as they are, and nothing else is noted. */
    boolean choosesPlainly() {
        return likely.isEmpty() && sequence.sampling().adjustment() == LogitsAdjustment.NONE;
    }

    /** Notes that this round went wrong for this sequence alone. */
    void fail(GenerationFailure reason) {
        failure = Optional.of(reason);
    }

    Optional<GenerationFailure> failure() {
        return failure;
    }

    /**
     * Accepts drafts up to the first that the model would not have written.
     *
     * @return how many drafts were judged: all up to and with that one
     */
    int accept() {
        while (accepted < draftCount && choices[accepted] == drafts[accepted]) {
            accepted++;
        }
        int judged = Math.min(accepted + 1, draftCount);
        for (int draft = 0; draft < judged; draft++) {
            sequence.learn(acceptances[draft], isAccepted(draft));
        }
        return judged;
    }

    boolean isAccepted(int draft) {
        return draft < accepted;
    }

    /** Tokens to write: the accepted drafts, and where they do not end it, the model's own. */
    int written() {
        return Math.min(accepted + 1, questions());
    }

    /** The token to write after so many others of this round. */
    int choice(int index) {
        return choices[index];
    }

    /**
     * Ends the round.
     *
     * @param written how many of its tokens were written to the sequence
     */
    void end(int written) {
        if (written == 0) {
            sequence.addCached(pending);
        } else {
            sequence.endRound(prefill, draftCount, Math.min(accepted, written));
        }
    }
}
