package io.layerskip.forward;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.layerskip.model.Checkpoint;
import io.layerskip.model.CheckpointWriter;
import io.layerskip.model.WeightRows;
import java.io.EOFException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Random;
import java.util.concurrent.ForkJoinPool;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DraftHeadTest {

    private static final int STATES = 100;

    /** That are computed; the others are left out. */
    private static final int CANDIDATES = 512;

    @TempDir Path folder;

    @ParameterizedTest(name = "{0} wide, {2} threads")
    @CsvSource({"256, 5000, 1", "256, 5000, 2", "72, 2100, 1", "300, 4096, 3"})
    void findsTheGreatestLogit(int hiddenSize, int vocabSize, int threads) throws Exception {
        try (Checkpoint checkpoint = checkpoint(hiddenSize, vocabSize);
                TokenRows hidden = new TokenRows(2, hiddenSize);
                TokenRows logits = new TokenRows(2, vocabSize)) {
            DraftHead draftHead = open(checkpoint, threads);
            Random random = new Random(5);
            int found = 0;
            for (int i = 0; i < STATES; i++) {
                float[] state = state(random, hiddenSize);
                hidden.write(1, state, 0);
                draftHead.logits(hidden, 1, logits);
                float[] exact = logits(checkpoint, state);
                int computed = 0;
                for (int token = 0; token < vocabSize; token++) {
                    float logit = logits.values().get(vocabSize + token);
                    if (logit != Float.NEGATIVE_INFINITY) {
                        assertThat(logit).isCloseTo(exact[token], within(1e-3f));
                        computed++;
                    }
                }
                assertThat(computed).isBetween(CANDIDATES - threads, CANDIDATES);
                found += logits.argmax(1).getAsInt() == greatest(exact) ? 1 : 0;
            }
            assertThat(found).isGreaterThan(STATES * 9 / 10);
        }
    }

    @ParameterizedTest
    @CsvSource({"256, 5000", "72, 2100"})
    void codesFromAFileFindTheSame(int hiddenSize, int vocabSize) throws Exception {
        try (Checkpoint checkpoint = checkpoint(hiddenSize, vocabSize);
                FileChannel file =
                        FileChannel.open(
                                folder.resolve("codes"),
                                StandardOpenOption.CREATE,
                                StandardOpenOption.READ,
                                StandardOpenOption.WRITE)) {
            HeadCodes made = HeadCodes.of(checkpoint.config(), checkpoint.head());
            made.write(file, 7);
            HeadCodes read = HeadCodes.read(checkpoint.config(), file, 7);

            CodedVector query = new CodedVector(hiddenSize);
            query.set(state(new Random(5), hiddenSize));
            for (int block = 0; block < made.blocks(); block++) {
                assertThat(estimates(read, block, query)).isEqualTo(estimates(made, block, query));
            }
            assertThatThrownBy(() -> HeadCodes.read(checkpoint.config(), file, 8))
                    .isInstanceOf(EOFException.class);
        }
    }

    private static float[] estimates(HeadCodes codes, int block, CodedVector query) {
        float[] estimates = new float[HeadCodes.TOKENS];
        codes.estimate(block, query, new int[HeadCodes.TOKENS], estimates);
        return estimates;
    }

    @ParameterizedTest
    @CsvSource({"NaN", "Infinity"})
    void statesThatAreNoNumbersGiveNoToken(float element) throws Exception {
        try (Checkpoint checkpoint = checkpoint(64, 2048);
                TokenRows hidden = new TokenRows(1, 64);
                TokenRows logits = new TokenRows(1, 2048)) {
            DraftHead draftHead = open(checkpoint, 1);
            float[] state = state(new Random(5), 64);
            state[7] = element;
            hidden.write(0, state, 0);

            draftHead.logits(hidden, 0, logits);

            assertThat(logits.argmax(0)).isEmpty();
        }
    }

    private Checkpoint checkpoint(int hiddenSize, int vocabSize) throws Exception {
        return Checkpoint.open(
                new CheckpointWriter(3)
                        .config("hidden_size", hiddenSize)
                        .config("vocab_size", vocabSize)
                        .config("head_dim", 16)
                        .write(folder));
    }

    private static DraftHead open(Checkpoint checkpoint, int threads) throws Exception {
        return new DraftHead(
                checkpoint,
                HeadCodes.of(checkpoint.config(), checkpoint.head()),
                new ForkJoinPool(threads));
    }

    /** As a trained model's are: a few elements are much greater than the others. */
    private static float[] state(Random random, int width) {
        float[] state = new float[width];
        for (int i = 0; i < width; i++) {
            state[i] = (float) random.nextGaussian() * (i % 50 == 3 ? 10 : 1);
        }
        return state;
    }

    private static float[] logits(Checkpoint checkpoint, float[] state) throws Exception {
        double squares = 0;
        for (float element : state) {
            squares += element * element;
        }
        double norm = Math.sqrt(squares / state.length + checkpoint.config().rmsNormEps());
        float[] weights = checkpoint.finalNorm();
        float[] normed = new float[state.length];
        for (int i = 0; i < state.length; i++) {
            normed[i] = (float) (state[i] / norm) * weights[i];
        }
        WeightRows head = checkpoint.head();
        float[] logits = new float[checkpoint.config().vocabSize()];
        for (int token = 0; token < logits.length; token++) {
            logits[token] = head.dot(token, normed);
        }
        return logits;
    }

    private static int greatest(float[] logits) {
        int best = 0;
        for (int token = 1; token < logits.length; token++) {
            best = logits[token] > logits[best] ? token : best;
        }
        return best;
    }
}
