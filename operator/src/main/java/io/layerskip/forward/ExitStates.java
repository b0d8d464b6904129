package io.layerskip.forward;

import org.apache.flink.annotation.Internal;

/**
 * Hidden states that have left the early layers, kept until the remaining ones take them; not
 * thread-safe.
 */
@Internal
public final class ExitStates {

    private final int width;
    private final float[] states;
    private int kept;

    /**
     * @param model whose passes they are between, at most {@link LayerSkipModel#MAX_ROWS} a round
     */
    public ExitStates(LayerSkipModel model) {
        this.width = model.config().hiddenSize();
        this.states = new float[LayerSkipModel.MAX_ROWS * width];
    }

    /** Forgets all of them. */
    public void clear() {
        kept = 0;
    }

    /** Keeps a row [hidden]; returns its number. */
    public int keep(TokenRows rows, int row) {
        rows.read(row, states, kept * width);
        return kept++;
    }

    /** Copies a state that was kept into a row. */
    public void copy(int number, TokenRows rows, int row) {
        rows.write(row, states, number * width);
    }
}
