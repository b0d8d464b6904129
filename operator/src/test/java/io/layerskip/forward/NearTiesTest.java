package io.layerskip.forward;

import static org.assertj.core.api.Assertions.assertThat;

import ai.onnxruntime.OrtEnvironment;
import io.layerskip.model.BundledModel;
import io.layerskip.model.Checkpoint;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class NearTiesTest {

    private static final float FAR = -1e6f;

    private Checkpoint checkpoint;
    private NearTies nearTies;
    private TokenRows hidden;
    private TokenRows logits;

    /** Two tokens, of which the checkpoint's own head likes the latter more. */
    private int worse;

    private int better;

    @BeforeEach
    void open() throws Exception {
        checkpoint = Checkpoint.open(BundledModel.folder());
        nearTies = new NearTies(checkpoint);
        OrtEnvironment environment = OrtEnvironment.getEnvironment();
        hidden = new TokenRows(2, checkpoint.config().hiddenSize());
        logits = new TokenRows(2, checkpoint.config().vocabSize());
        float[] norm = checkpoint.finalNorm();
        float[] normed = new float[norm.length];
        for (int i = 0; i < norm.length; i++) {
            float state = (float) Math.sin(i);
            hidden.values().put(norm.length + i, state);
            normed[i] = state * norm[i];
        }
        boolean rising = checkpoint.head().dot(10, normed) < checkpoint.head().dot(20, normed);
        worse = rising ? 10 : 20;
        better = rising ? 20 : 10;
    }

    @AfterEach
    void close() {
        logits.close();
        hidden.close();
        checkpoint.close();
    }

    @Test
    void theHeadOfTheCheckpointDecidesBetweenLogitsThatAreClose() {
        assertThat(argmax(10, 9.95f)).isEqualTo(better);
        assertThat(argmax(9.95f, 10)).isEqualTo(better);
        assertThat(argmax(-10, -10.05f)).isEqualTo(better);
    }

    @Test
    void logitsThatAreFarApartStandAsTheyAre() {
        assertThat(argmax(10, 9.5f)).isEqualTo(worse);
        assertThat(argmax(-10, -10.5f)).isEqualTo(worse);
    }

    /** With these logits, in the second row; all others are far below. */
    private int argmax(float ofWorse, float ofBetter) {
        int width = logits.width();
        for (int token = 0; token < width; token++) {
            logits.values().put(width + token, FAR);
        }
        logits.values().put(width + worse, ofWorse);
        logits.values().put(width + better, ofBetter);
        return nearTies.argmax(logits, 1, hidden).orElseThrow();
    }
}
