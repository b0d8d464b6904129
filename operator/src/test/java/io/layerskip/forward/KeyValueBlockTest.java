package io.layerskip.forward;

import static org.assertj.core.api.Assertions.assertThat;

import io.layerskip.model.ModelConfig;
import io.layerskip.model.RotaryEmbedding;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class KeyValueBlockTest {

    private static final int LAYERS = 2;
    private static final int HEADS = 3;
    private static final int WIDTH = 76;
    private static final ModelConfig CONFIG = config(LAYERS, HEADS, WIDTH);

    @Test
    void float32KeepsWhatItIsGiven() {
        float[] source = random(1);
        KeyValueBlock block = KeyValueCacheType.FLOAT32.newBlock(CONFIG);
        block.store(1, 21, source, 5);

        for (int head = 0; head < HEADS; head++) {
            for (int d = 0; d < WIDTH; d++) {
                assertThat(key(block, 1, head, 21, d)).isEqualTo(source[5 + head * WIDTH + d]);
                assertThat(value(block, 1, head, 21, d))
                        .isEqualTo(source[5 + (HEADS + head) * WIDTH + d]);
            }
        }
    }

    @Test
    void int8LosesAtMostHalfAScale() {
        float[] source = random(2);
        KeyValueBlock block = KeyValueCacheType.INT8.newBlock(CONFIG);
        block.store(1, 21, source, 5);

        for (int head = 0; head < HEADS; head++) {
            float halfKeyScale = greatest(source, 5 + head * WIDTH) / 253;
            float halfValueScale = greatest(source, 5 + (HEADS + head) * WIDTH) / 253;
            for (int d = 0; d < WIDTH; d++) {
                assertThat(key(block, 1, head, 21, d))
                        .isCloseTo(source[5 + head * WIDTH + d], Offset.offset(halfKeyScale));
                assertThat(value(block, 1, head, 21, d))
                        .isCloseTo(
                                source[5 + (HEADS + head) * WIDTH + d],
                                Offset.offset(halfValueScale));
            }
        }
    }

    @Test
    void int8KeepsZerosAndTheSmallestNumbersFinite() {
        float[] source = new float[2 * HEADS * WIDTH];
        source[3] = Float.MIN_VALUE;
        KeyValueBlock block = KeyValueCacheType.INT8.newBlock(CONFIG);
        block.store(0, 0, source, 0);

        assertThat(key(block, 0, 0, 0, 3)).isZero();
        assertThat(value(block, 0, 2, 0, 9)).isZero();
    }

    @ParameterizedTest
    @EnumSource(KeyValueCacheType.class)
    void whatIsNoNumberDoesNotTurnIntoOne(KeyValueCacheType type) {
        float[] source = random(3);
        source[4] = Float.NaN;
        source[WIDTH] = Float.POSITIVE_INFINITY;
        KeyValueBlock block = type.newBlock(CONFIG);
        block.store(0, 7, source, 0);

        assertThat(Float.isFinite(key(block, 0, 0, 7, 4))).isFalse();
        assertThat(Float.isFinite(key(block, 0, 1, 7, 0))).isFalse();
        assertThat(Float.isFinite(key(block, 0, 2, 7, 0))).isTrue();
    }

    @ParameterizedTest
    @EnumSource(KeyValueCacheType.class)
    void valuesAfterATokenInItsTileBecomeZeros(KeyValueCacheType type) {
        float[] failed = random(4);
        failed[HEADS * WIDTH] = Float.NaN;
        KeyValueBlock block = type.newBlock(CONFIG);
        block.store(0, 10, failed, 0);
        block.store(0, 9, random(5), 0);

        for (int slot = 10; slot < 16; slot++) {
            assertThat(value(block, 0, 0, slot, 0)).isZero();
        }
        assertThat(value(block, 0, 0, 9, 0)).isNotZero();
    }

    @ParameterizedTest
    @EnumSource(KeyValueCacheType.class)
    void aCopyHoldsTheSame(KeyValueCacheType type) {
        KeyValueBlock block = type.newBlock(CONFIG);
        for (int layer = 0; layer < LAYERS; layer++) {
            for (int slot = 0; slot < KeyValueBlock.TOKENS; slot++) {
                block.store(layer, slot, random(100L * layer + slot), 0);
            }
        }
        KeyValueBlock copy = type.newBlock(CONFIG);
        copy.copyFrom(block);

        for (int head = 0; head < HEADS; head++) {
            assertThat(copy.keys(1, head, KeyValueBlock.keyTiles(WIDTH)))
                    .isDeepEqualTo(block.keys(1, head, KeyValueBlock.keyTiles(WIDTH)));
            assertThat(copy.values(1, head, KeyValueBlock.valueTiles(WIDTH)))
                    .isDeepEqualTo(block.values(1, head, KeyValueBlock.valueTiles(WIDTH)));
        }
    }

    @Test
    void anEightBillionModelsTokensTakeAQuarterInInt8() {
        ModelConfig config = config(32, 8, 128);
        long blocks = 32 * 4096 / KeyValueBlock.TOKENS;

        assertThat(blocks * KeyValueCacheType.FLOAT32.blockBytes(config))
                .isEqualTo(34_359_738_368L);
        assertThat(blocks * KeyValueCacheType.INT8.blockBytes(config)).isEqualTo(8_858_370_048L);
    }

    private static float key(KeyValueBlock block, int layer, int head, int slot, int d) {
        float[][] tiles = block.keys(layer, head, KeyValueBlock.keyTiles(WIDTH));
        int row = d % KeyValueBlock.TILE_ROWS;
        return tiles[d / KeyValueBlock.TILE_ROWS][row * KeyValueBlock.TOKENS + slot];
    }

    private static float value(KeyValueBlock block, int layer, int head, int slot, int d) {
        float[][] tiles = block.values(layer, head, KeyValueBlock.valueTiles(WIDTH));
        int lanes = KeyValueBlock.VALUE_LANES;
        int tile = slot / KeyValueBlock.TILE_ROWS * KeyValueBlock.valueParts(WIDTH) + d / lanes;
        return tiles[tile][slot % KeyValueBlock.TILE_ROWS * lanes + d % lanes];
    }

    private static float greatest(float[] source, int from) {
        float greatest = 0;
        for (int d = 0; d < WIDTH; d++) {
            greatest = Math.max(greatest, Math.abs(source[from + d]));
        }
        return greatest;
    }

    private static float[] random(long seed) {
        Random random = new Random(seed);
        float[] source = new float[5 + 2 * HEADS * WIDTH];
        for (int i = 0; i < source.length; i++) {
            source[i] = (float) random.nextGaussian();
        }
        return source;
    }

    private static ModelConfig config(int layers, int keyValueHeads, int headDim) {
        return new ModelConfig(
                2,
                keyValueHeads * headDim,
                2,
                layers,
                keyValueHeads,
                keyValueHeads,
                headDim,
                64,
                1e-5f,
                new RotaryEmbedding(10_000, Optional.empty()),
                true,
                List.of(),
                OptionalInt.empty());
    }
}
