package io.layerskip.engine;

import io.layerskip.forward.TokenRows;
import java.nio.FloatBuffer;
import java.util.Map;

/**
 * Changes rows of logits as {@link LogitsAdjustment}s say, in place: first the ends of the sequence
 * go, then biases are added, then tokens are penalised, as vLLM does in that order. It takes time
 * for the tokens so far, not for the vocabulary. Not thread-safe.
 */
final class LogitsProcessor {

    /** Marks a token of the prompt, beside how often the completion has it. */
    private static final int OF_PROMPT = Integer.MIN_VALUE;

    private static final int[] NOTHING = {};

    /** How often the completion has a token; all 0 between two calls. Empty until it is needed. */
    private int[] counts = NOTHING;

    /**
     * Changes what follows the sequence and so many of the turn's drafts. That depends on those
     * before it alone, so it is the same whether it is drafted or verified.
     *
     * @param logits [rows, vocab]
     */
    void process(Turn turn, int drafts, TokenRows logits, int row) {
        Sequence sequence = turn.sequence();
        LogitsAdjustment adjustment = sequence.sampling().adjustment();
        FloatBuffer values = logits.values();
        int start = row * logits.width();
        if (sequence.completionLength() + drafts < adjustment.minTokens()) {
            for (int end : sequence.endTokens()) {
                values.put(start + end, Float.NEGATIVE_INFINITY);
            }
        }
        for (Map.Entry<Integer, Double> bias : adjustment.logitBias().entrySet()) {
            int at = start + bias.getKey();
            put(values, at, values.get(at) + bias.getValue());
        }
        if (adjustment.penalises()) {
            if (counts.length == 0) {
                counts = new int[logits.width()];
            }
            int[] used = counts;
            // Where this breaks, nobody else shall find what it has counted so far.
            counts = NOTHING;
            count(turn, drafts, used);
            penalise(turn, drafts, values, start, used);
            counts = used;
        }
    }

    private static void count(Turn turn, int drafts, int[] counts) {
        Sequence sequence = turn.sequence();
        int[] tokens = sequence.tokens();
        for (int i = 0; i < sequence.promptLength(); i++) {
            counts[tokens[i]] = OF_PROMPT;
        }
        for (int i = sequence.promptLength(); i < sequence.length(); i++) {
            counts[tokens[i]]++;
        }
        for (int i = 0; i < drafts; i++) {
            counts[turn.draft(i)]++;
        }
    }

    /** Penalises each token once, and forgets its count. */
    private static void penalise(
            Turn turn, int drafts, FloatBuffer values, int start, int[] counts) {
        Sequence sequence = turn.sequence();
        LogitsAdjustment adjustment = sequence.sampling().adjustment();
        int[] tokens = sequence.tokens();
        for (int i = 0; i < sequence.length() + drafts; i++) {
            int token = i < sequence.length() ? tokens[i] : turn.draft(i - sequence.length());
            if (counts[token] != 0) {
                int count = counts[token] & ~OF_PROMPT;
                counts[token] = 0;
                double logit = values.get(start + token);
                double penalty = adjustment.repetitionPenalty();
                logit = logit > 0 ? logit / penalty : logit * penalty;
                logit -= count * adjustment.frequencyPenalty();
                logit -= count > 0 ? adjustment.presencePenalty() : 0;
                put(values, start + token, logit);
            }
        }
    }

    /** A finite logit stays one, however small or great a penalty is. */
    private static void put(FloatBuffer values, int at, double logit) {
        if (values.get(at) != Float.NEGATIVE_INFINITY) {
            double finite = Math.max(-Float.MAX_VALUE, Math.min(logit, Float.MAX_VALUE));
            values.put(at, (float) finite);
        }
    }
}
