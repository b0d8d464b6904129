package io.layerskip.forward;

import static org.assertj.core.api.Assertions.assertThat;

import ai.onnxruntime.OrtSession;
import io.layerskip.model.BundledModel;
import io.layerskip.model.Checkpoint;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class Int8ProductsTest {

    private static Checkpoint checkpoint;
    private static List<OrtSession> built;
    private static SessionRun head;
    private static int width;

    @BeforeAll
    static void open() throws Exception {
        checkpoint = Checkpoint.open(BundledModel.folder());
        width = checkpoint.config().hiddenSize();
        try (ModelSessions sessions =
                ModelSessions.open(
                        checkpoint,
                        Precision.INT8,
                        Optional.empty(),
                        new PassThreads(1, 1),
                        LoadListener.NONE)) {
            built =
                    sessions.build(
                            new TreeSet<>(Set.of(checkpoint.config().numHiddenLayers())),
                            LoadListener.NONE);
        }
        head = new SessionRun(built.get(0));
    }

    @AfterAll
    static void close() throws Exception {
        for (OrtSession session : built) {
            session.close();
        }
        checkpoint.close();
    }

    @Test
    void aRowOfZerosGivesZeros() throws Exception {
        for (float logit : logits(new float[width])) {
            assertThat(Math.abs(logit)).isZero();
        }
    }

    @Test
    void aRowDoesNotDependOnItsCompany() throws Exception {
        Random random = new Random(1);
        float[] rows = new float[3 * width];
        for (int i = width; i < rows.length; i++) {
            rows[i] = (float) random.nextGaussian();
        }

        float[] together = logits(rows);

        int vocabulary = checkpoint.config().vocabSize();
        for (int row = 0; row < 3; row++) {
            assertThat(Arrays.copyOfRange(together, row * vocabulary, (row + 1) * vocabulary))
                    .isEqualTo(logits(Arrays.copyOfRange(rows, row * width, (row + 1) * width)));
        }
    }

    private static float[] logits(float[] hidden) {
        int rows = hidden.length / width;
        try (TokenRows input = new TokenRows(rows, width);
                TokenRows output = new TokenRows(rows, checkpoint.config().vocabSize())) {
            input.values().put(0, hidden);
            head.input(OnnxGraphs.HIDDEN, input.view(rows));
            head.output(OnnxGraphs.LOGITS, output.view(rows)).run();
            float[] logits = new float[rows * output.width()];
            output.values().get(0, logits);
            return logits;
        }
    }
}
