package io.layerskip.model;

import static org.assertj.core.api.Assertions.assertThat;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtSession;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class Int8ProductsTest {

    private static final OrtEnvironment ENVIRONMENT = OrtEnvironment.getEnvironment();

    private static Checkpoint checkpoint;
    private static OrtSession head;
    private static int width;

    @BeforeAll
    static void open() throws Exception {
        checkpoint = Checkpoint.open(BundledModel.folder());
        width = checkpoint.config().hiddenSize();
        try (ModelSessions sessions =
                ModelSessions.open(ENVIRONMENT, checkpoint, Precision.INT8, Optional.empty(), 1)) {
            head = sessions.head();
        }
    }

    @AfterAll
    static void close() throws Exception {
        head.close();
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

    private static float[] logits(float[] hidden) throws Exception {
        try (OnnxTensor input =
                        OnnxTensor.createTensor(
                                ENVIRONMENT,
                                FloatBuffer.wrap(hidden),
                                new long[] {1, hidden.length / width, width});
                OrtSession.Result result = head.run(Map.of(OnnxGraphs.HIDDEN, input))) {
            FloatBuffer values = ((OnnxTensor) result.get(0)).getFloatBuffer();
            float[] logits = new float[values.remaining()];
            values.get(logits);
            return logits;
        }
    }
}
