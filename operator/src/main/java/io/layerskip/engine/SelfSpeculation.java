package io.layerskip.engine;

import ai.onnxruntime.OrtException;

/**
 * Self-speculative decoding: the first layers draft, the remaining ones verify.
 *
 * <p>LayerSkip (Elhoushi et al., 2024), section 4.3, with the cache and the exit's hidden states
 * shared between the two. Greedy decoding accepts a draft that the full model would have written;
 * sampling accepts by the rule of speculative sampling (Leviathan et al., 2023, algorithm 1), which
 * keeps the full model's distribution. Plain decoding is a round without a draft. Not thread-safe.
 */
final class SelfSpeculation {

    /** Told of each token as it is written. */
    @FunctionalInterface
    interface TokenListener {

        /**
         * @param drafted whether the token was an accepted draft
         * @return whether the sequence goes on
         */
        boolean wrote(boolean drafted);
    }

    private final LayerSkipModel model;
    private final int[] drafts;
    private final TokenDistribution[] draftDistributions;
    private final TokenDistribution target;

    /**
     * @param maxDraft most tokens drafted in a round
     */
    SelfSpeculation(LayerSkipModel model, int maxDraft) {
        this.model = model;
        this.drafts = new int[maxDraft];
        this.draftDistributions = new TokenDistribution[maxDraft];
        this.target = new TokenDistribution(model.config().vocabSize());
    }

    /**
     * Takes the next part of the prompt through the whole model, and after its last token writes
     * the first one.
     */
    void prefill(Sequence sequence, TokenListener listener) throws OrtException {
        int position = sequence.cached();
        int count = Math.min(sequence.promptLength() - position, LayerSkipModel.MAX_ROWS);
        sequence.cache().reserve(position + count);
        for (int row = 0; row < count; row++) {
            model.embed(sequence.tokens()[position + row], row);
        }
        int exit = sequence.exitLayer();
        model.forwardEarly(exit, sequence.cache(), position, 0, count);
        model.forwardRemainder(exit, sequence.cache(), position, 0, count);
        sequence.cachedUpTo(position + count);
        if (sequence.prefilled()) {
            TokenRows logits = model.finalLogits(count - 1, 1);
            sequence.append(choose(sequence, logits, 0));
            listener.wrote(false);
        }
    }

    /**
     * One round: draft, verify, accept. Writes the accepted drafts and one token of the model's.
     */
    void round(Sequence sequence, TokenListener listener) throws OrtException {
        int position = sequence.cached();
        sequence.cache().reserve(position + sequence.draftLength() + 1);
        int drafted = draft(sequence, position);
        // A drafted end is followed by nothing, so its own row was left out.
        int rows = drafted > 0 && sequence.ends(drafts[drafted - 1]) ? drafted : drafted + 1;
        model.forwardRemainder(sequence.exitLayer(), sequence.cache(), position, 0, rows);
        TokenRows logits = model.finalLogits(0, rows);
        int accepted = accept(sequence, logits, drafted, rows, listener);
        sequence.countRound(drafted, accepted);
        sequence.cachedUpTo(sequence.length() - 1);
    }

    /**
     * Drafts with the early layers, a token at a time; leaves the exit's hidden states of the last
     * written token and of the drafts in rows 0, 1, ...
     *
     * @return how many tokens were drafted
     */
    private int draft(Sequence sequence, int position) throws OrtException {
        int token = sequence.lastToken();
        for (int row = 0; ; row++) {
            model.embed(token, row);
            model.forwardEarly(sequence.exitLayer(), sequence.cache(), position + row, row, 1);
            if (row == sequence.draftLength()) {
                return row;
            }
            TokenRows logits = model.earlyLogits(sequence.exitLayer(), row);
            token = chooseDraft(sequence, logits, row);
            drafts[row] = token;
            if (sequence.ends(token)) {
                return row + 1;
            }
        }
    }

    private int chooseDraft(Sequence sequence, TokenRows logits, int row) {
        if (sequence.sampling().greedy()) {
            return TokenDistribution.argmax(logits, 0);
        }
        if (draftDistributions[row] == null) {
            draftDistributions[row] = new TokenDistribution(logits.width());
        }
        draftDistributions[row].set(logits, 0, sequence.sampling());
        return draftDistributions[row].sample(sequence.random().nextDouble());
    }

    /**
     * Writes drafts as long as the model agrees, then one token of the model's own where it does
     * not or where the draft ends.
     *
     * @param logits rows [0, rows): the model's, for what follows each row's token
     * @return how many drafts were written
     */
    private int accept(
            Sequence sequence, TokenRows logits, int drafted, int rows, TokenListener listener) {
        for (int row = 0; row < rows; row++) {
            boolean accepted;
            if (row == drafted) {
                sequence.append(choose(sequence, logits, row));
                accepted = false;
            } else {
                accepted = verify(sequence, logits, row);
            }
            if (!listener.wrote(accepted) || !accepted) {
                return accepted ? row + 1 : row;
            }
        }
        return rows;
    }

    /** Writes draft {@code row} if the model accepts it, otherwise the token that replaces it. */
    private boolean verify(Sequence sequence, TokenRows logits, int row) {
        int draft = drafts[row];
        if (sequence.sampling().greedy()) {
            int token = TokenDistribution.argmax(logits, row);
            sequence.append(token);
            return token == draft;
        }
        target.set(logits, row, sequence.sampling());
        double p = target.probability(draft);
        double q = draftDistributions[row].probability(draft);
        if (sequence.random().nextDouble() * q < p) {
            sequence.append(draft);
            return true;
        }
        target.subtract(draftDistributions[row]);
        sequence.append(target.sample(sequence.random().nextDouble()));
        return false;
    }

    private int choose(Sequence sequence, TokenRows logits, int row) {
        if (sequence.sampling().greedy()) {
            return TokenDistribution.argmax(logits, row);
        }
        target.set(logits, row, sequence.sampling());
        return target.sample(sequence.random().nextDouble());
    }
}
