package io.layerskip.forward;

import static org.assertj.core.api.Assertions.assertThat;

import io.layerskip.model.ModelConfig;
import io.layerskip.model.RotaryEmbedding;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import java.util.concurrent.ForkJoinPool;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class AttentionTest {

    private static final int MAX_ROWS = 256;

    /** More than two segments, the last one and its last block partly filled. */
    private static final int TOKENS = 2 * AttentionKernel.SEGMENT_TOKENS + 77;

    @ParameterizedTest(name = "{0} heads, {1} with keys, width {2}")
    @CsvSource({"4, 2, 64", "4, 1, 80", "3, 3, 36", "8, 2, 128"})
    void isWhatTheDefinitionSays(int heads, int keyValueHeads, int headDim) {
        ModelConfig config = config(heads, keyValueHeads, headDim);
        float[][] input = input(config, 1, TOKENS);

        float[][] attended = attend(config, KeyValueCacheType.FLOAT32, 1, input, MAX_ROWS);

        for (int row : new int[] {0, 5, 300, 511, 512, 700, TOKENS - 1}) {
            double[] expected = reference(config, input, row);
            for (int i = 0; i < expected.length; i++) {
                assertThat((double) attended[row][i]).isCloseTo(expected[i], Offset.offset(2e-5));
            }
        }
    }

    @ParameterizedTest
    @EnumSource(KeyValueCacheType.class)
    void aRowIsTheSameBitByBitHoweverManyAreInItsPass(KeyValueCacheType type) {
        ModelConfig config = config(8, 2, 64);
        float[][] input = input(config, 2, TOKENS);

        float[][] alone = attend(config, type, 1, input, 1);

        for (int most : new int[] {5, 31, 64, 100, MAX_ROWS}) {
            assertThat(attend(config, type, 1, input, most)).isDeepEqualTo(alone);
        }
    }

    @ParameterizedTest
    @EnumSource(KeyValueCacheType.class)
    void aRowIsTheSameBitByBitBesideOtherSequences(KeyValueCacheType type) {
        ModelConfig config = config(8, 2, 64);
        List<float[][]> inputs = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            inputs.add(input(config, 10 + i, 500));
        }
        KeyValueMemory memory = new KeyValueMemory(config, type, 1L << 28);
        int[] counts = {1, 50, 200};
        float[][][] together = new float[3][500][];
        Attention attention = new Attention(config, MAX_ROWS, new ForkJoinPool(2));
        try (TokenRows in = new TokenRows(MAX_ROWS, config.qkvWidth());
                TokenRows out = new TokenRows(MAX_ROWS, config.attendedWidth())) {
            List<KeyValueCache> caches = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                caches.add(new KeyValueCache(memory));
                caches.get(i).reserve(500);
            }
            RaggedBatch batch = new RaggedBatch();
            int[] positions = new int[3];
            while (Arrays.stream(positions).anyMatch(position -> position < 500)) {
                batch.clear();
                for (int i = 0; i < 3; i++) {
                    int count = Math.min(counts[i], 500 - positions[i]);
                    for (int row = 0; row < count; row++) {
                        in.write(batch.rows() + row, inputs.get(i)[positions[i] + row], 0);
                    }
                    if (count > 0) {
                        batch.add(caches.get(i), positions[i], count);
                    }
                }
                attention.attend(0, batch, in, out);
                int row = 0;
                for (int i = 0; i < 3; i++) {
                    int count = Math.min(counts[i], 500 - positions[i]);
                    for (int end = positions[i] + count; positions[i] < end; positions[i]++) {
                        together[i][positions[i]] = row(out, row++);
                    }
                }
            }
        }

        for (int i = 0; i < 3; i++) {
            assertThat(together[i]).isDeepEqualTo(attend(config, type, 1, inputs.get(i), 1));
        }
    }

    @ParameterizedTest
    @CsvSource({"8, 2", "4, 4"})
    void moreThreadsThanKeyHeadsComputeWhatOneDoes(int heads, int keyValueHeads) {
        ModelConfig config = config(heads, keyValueHeads, 64);
        float[][] input = input(config, 3, TOKENS);

        assertThat(attend(config, KeyValueCacheType.FLOAT32, 7, input, MAX_ROWS))
                .isDeepEqualTo(attend(config, KeyValueCacheType.FLOAT32, 1, input, MAX_ROWS));
    }

    @Test
    void int8ComesCloseToFloat32() {
        ModelConfig config = config(4, 2, 64);
        float[][] input = input(config, 4, 300);

        float[][] exact = attend(config, KeyValueCacheType.FLOAT32, 1, input, MAX_ROWS);
        float[][] rounded = attend(config, KeyValueCacheType.INT8, 1, input, MAX_ROWS);

        for (int row = 0; row < exact.length; row++) {
            for (int i = 0; i < exact[row].length; i++) {
                assertThat(rounded[row][i]).isCloseTo(exact[row][i], Offset.offset(0.03f));
            }
        }
    }

    /** All rows of one sequence, in passes of at most so many. */
    private static float[][] attend(
            ModelConfig config, KeyValueCacheType type, int threads, float[][] input, int most) {
        KeyValueCache cache = new KeyValueCache(new KeyValueMemory(config, type, 1L << 28));
        cache.reserve(input.length);
        float[][] attended = new float[input.length][];
        Attention attention = new Attention(config, MAX_ROWS, new ForkJoinPool(threads));
        try (TokenRows in = new TokenRows(MAX_ROWS, config.qkvWidth());
                TokenRows out = new TokenRows(MAX_ROWS, config.attendedWidth())) {
            RaggedBatch batch = new RaggedBatch();
            for (int position = 0; position < input.length; position += batch.rows()) {
                batch.clear();
                batch.add(cache, position, Math.min(most, input.length - position));
                for (int row = 0; row < batch.rows(); row++) {
                    in.write(row, input[position + row], 0);
                }
                attention.attend(0, batch, in, out);
                for (int row = 0; row < batch.rows(); row++) {
                    attended[position + row] = row(out, row);
                }
            }
        }
        return attended;
    }

    private static float[] row(TokenRows rows, int row) {
        float[] values = new float[rows.width()];
        rows.read(row, values, 0);
        return values;
    }

    /** softmax(q k / sqrt(width)) v of one row, in doubles. */
    private static double[] reference(ModelConfig config, float[][] input, int row) {
        int width = config.headDim();
        int heads = config.numAttentionHeads();
        int group = heads / config.numKeyValueHeads();
        RotaryTable rotary = new RotaryTable(config);
        double[] attended = new double[heads * width];
        float[][] rotated = new float[row + 1][];
        for (int t = 0; t <= row; t++) {
            rotated[t] = input[t].clone();
            for (int head = 0; head < heads + config.numKeyValueHeads(); head++) {
                RotaryTable.rotate(rotated[t], head * width, rotary.at(t));
            }
        }
        for (int head = 0; head < heads; head++) {
            int key = (heads + head / group) * width;
            int value = key + config.numKeyValueHeads() * width;
            double sum = 0;
            for (int t = 0; t <= row; t++) {
                double dot = 0;
                for (int d = 0; d < width; d++) {
                    dot += (double) rotated[row][head * width + d] * rotated[t][key + d];
                }
                double weight = Math.exp(dot / Math.sqrt(width));
                sum += weight;
                for (int d = 0; d < width; d++) {
                    attended[head * width + d] += weight * rotated[t][value + d];
                }
            }
            for (int d = 0; d < width; d++) {
                attended[head * width + d] /= sum;
            }
        }
        return attended;
    }

    private static float[][] input(ModelConfig config, long seed, int rows) {
        Random random = new Random(seed);
        float[][] input = new float[rows][config.qkvWidth()];
        for (float[] row : input) {
            for (int i = 0; i < row.length; i++) {
                row[i] = (float) random.nextGaussian();
            }
        }
        return input;
    }

    private static ModelConfig config(int heads, int keyValueHeads, int headDim) {
        return new ModelConfig(
                2,
                heads * headDim,
                2,
                1,
                heads,
                keyValueHeads,
                headDim,
                TOKENS,
                1e-5f,
                new RotaryEmbedding(10_000, Optional.empty()),
                true,
                List.of(),
                OptionalInt.empty());
    }
}
