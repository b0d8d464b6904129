package io.layerskip.forward;

import io.layerskip.model.Checkpoint;
import io.layerskip.model.CheckpointException;
import io.layerskip.model.WeightRows;
import java.util.OptionalInt;

/**
 * The greatest logit where the head is quantized: of those that come close to it, which rounding
 * may have put in a wrong order, the head's own rows in the checkpoint decide. Of most tokens that
 * is none, so the rows that are read are few. Not thread-safe.
 */
final class NearTies {

    /** How close, as a part of the greatest logit's magnitude. Rounding moves logits by less. */
    private static final float CLOSE = 0.01f;

    private final WeightRows head;
    private final float[] finalNorm;
    private final float[] normed;

    NearTies(Checkpoint checkpoint) throws CheckpointException {
        this.head = checkpoint.head();
        this.finalNorm = checkpoint.finalNorm();
        this.normed = new float[finalNorm.length];
    }

    /**
     * The token with the greatest logit.
     *
     * @param logits [rows, vocab], rounded
     * @param hidden [rows, hidden], what the head was given
     * @return empty if the greatest logit is no finite number
     */
    OptionalInt argmax(TokenRows logits, int row, TokenRows hidden) {
        OptionalInt greatest = logits.argmax(row);
        return greatest.isPresent()
                ? OptionalInt.of(decide(logits, row, hidden, greatest.getAsInt()))
                : greatest;
    }

    private int decide(TokenRows logits, int row, TokenRows hidden, int rounded) {
        var values = logits.values();
        int start = row * logits.width();
        float greatest = values.get(start + rounded);
        float close = greatest - CLOSE * Math.abs(greatest);
        int best = rounded;
        float bestLogit = Float.NaN;
        for (int token = 0; token < logits.width(); token++) {
            if (values.get(start + token) < close || token == rounded) {
                continue;
            }
            if (Float.isNaN(bestLogit)) {
                normalise(hidden, row);
                bestLogit = head.dot(rounded, normed);
            }
            float logit = head.dot(token, normed);
            if (logit > bestLogit) {
                best = token;
                bestLogit = logit;
            }
        }
        return best;
    }

    /** But for a factor that all logits of the row have in common. */
    private void normalise(TokenRows hidden, int row) {
        hidden.read(row, normed, 0);
        for (int i = 0; i < normed.length; i++) {
            normed[i] *= finalNorm[i];
        }
    }
}
