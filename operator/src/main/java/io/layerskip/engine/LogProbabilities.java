package io.layerskip.engine;

import io.layerskip.forward.TokenRows;
import java.util.Arrays;

/**
 * Log softmax of a row of logits, at temperature 1. A buffer that is filled again for every token.
 */
final class LogProbabilities {

    /** Empty until it is needed. */
    private float[] logits = {};

    private double logSum;

    /**
     * Of one token, and of those that are likeliest.
     *
     * @param likeliest token ids, the likeliest first
     * @param likeliestLogprobs of these
     */
    record Noted(double logprob, int[] likeliest, double[] likeliestLogprobs) {}

    /**
     * Takes a row, whose values may change then.
     *
     * @param rows [rows, vocab]
     */
    void set(TokenRows rows, int row) {
        if (logits.length == 0) {
            logits = new float[rows.width()];
        }
        rows.read(row, logits, 0);
        double greatest = Double.NEGATIVE_INFINITY;
        for (float logit : logits) {
            greatest = Math.max(greatest, logit);
        }
        double sum = 0;
        for (float logit : logits) {
            sum += Math.exp(logit - greatest);
        }
        logSum = greatest + Math.log(sum);
    }

    /**
     * @param count of likeliest tokens; fewer if there are no more
     */
    Noted note(int token, int count) {
        int[] likeliest = likeliest(Math.min(count, logits.length));
        double[] logprobs = Arrays.stream(likeliest).mapToDouble(this::logprob).toArray();
        return new Noted(logprob(token), likeliest, logprobs);
    }

    private double logprob(int token) {
        return logits[token] - logSum;
    }

    /** Of equally likely tokens, those with the lower id. */
    private int[] likeliest(int count) {
        int[] best = new int[count];
        int found = 0;
        for (int token = 0; count > 0 && token < logits.length; token++) {
            float logit = logits[token];
            if (found == count && logit <= logits[best[count - 1]]) {
                continue;
            }
            int at = found < count ? found++ : count - 1;
            while (at > 0 && logit > logits[best[at - 1]]) {
                best[at] = best[--at];
            }
            best[at] = token;
        }
        return best;
    }
}
