package io.layerskip.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.layerskip.model.BundledModel;
import io.layerskip.model.Checkpoint;
import io.layerskip.model.CheckpointWriter;
import io.layerskip.model.WeightType;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class LayerSkipModelTest {

    private static final int LAST_LAYER = 12;

    @TempDir Path folder;

    @Test
    void logitsAfterEveryExitAreTheReferences() throws Exception {
        try (InputStream file = getClass().getResourceAsStream("/golden-logits.json");
                Checkpoint checkpoint = Checkpoint.open(BundledModel.folder());
                LayerSkipModel model = new LayerSkipModel(checkpoint, List.of(6, 1, 3, 2), 1, 1)) {
            for (JsonNode golden : new ObjectMapper().readTree(file)) {
                int[] prompt =
                        new ObjectMapper().convertValue(golden.get("prompt_ids"), int[].class);
                JsonNode expected = golden.get("logits_after_layer");
                for (int exit : new int[] {1, 2, 3, 6}) {
                    assertClose(logitsAt(model, prompt, exit), expected.get("" + exit));
                    assertClose(logitsVia(model, prompt, exit), expected.get("" + LAST_LAYER));
                }
            }
        }
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("architectures")
    void computesWhatTheReferenceComputes(String name, CheckpointWriter writer) throws Exception {
        int[] prompt = randomTokens(150);
        writer.config("max_position_embeddings", 256).write(folder);
        try (Checkpoint checkpoint = Checkpoint.open(folder);
                LayerSkipModel model = new LayerSkipModel(checkpoint, List.of(2), 1, 1)) {
            ReferenceLlama reference = new ReferenceLlama(checkpoint);

            assertClose(logitsAt(model, prompt, 2), reference.logits(prompt, 2));
            assertClose(logitsVia(model, prompt, 2), reference.logits(prompt, 4));
        }
    }

    static Stream<Arguments> architectures() {
        return Stream.of(
                Arguments.of("float32", new CheckpointWriter(1)),
                Arguments.of("float16", new CheckpointWriter(2).type(WeightType.F16)),
                Arguments.of("bfloat16", new CheckpointWriter(3).type(WeightType.BF16)),
                Arguments.of("sharded", new CheckpointWriter(4).shards(3)),
                Arguments.of("tied", new CheckpointWriter(5).config("tie_word_embeddings", true)),
                Arguments.of(
                        "one key head", new CheckpointWriter(6).config("num_key_value_heads", 1)),
                Arguments.of(
                        "as many key heads",
                        new CheckpointWriter(7).config("num_key_value_heads", 4)),
                Arguments.of("head_dim", new CheckpointWriter(8).config("head_dim", 32)),
                Arguments.of("rope_theta", new CheckpointWriter(9).config("rope_theta", 500000.0)),
                Arguments.of("llama3 rope", new CheckpointWriter(10).llama3Rope()));
    }

    @Test
    void readsWeightsThroughSymbolicLinksAsTheHubsCacheHasThem() throws Exception {
        Path blobs = new CheckpointWriter(1).write(folder.resolve("blobs"));
        Path snapshot = Files.createDirectories(folder.resolve("snapshots/main"));
        for (String file : List.of("config.json", "tokenizer.json", "model.safetensors")) {
            Files.createSymbolicLink(
                    snapshot.resolve(file), snapshot.relativize(blobs.resolve(file)));
        }
        int[] prompt = randomTokens(5);
        try (Checkpoint checkpoint = Checkpoint.open(snapshot);
                LayerSkipModel model = new LayerSkipModel(checkpoint, List.of(2), 1, 1)) {
            assertClose(
                    logitsVia(model, prompt, 2), new ReferenceLlama(checkpoint).logits(prompt, 4));
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, 0, 4, 5})
    void refusesAnExitLayerThatIsNotInside(int exit) throws Exception {
        new CheckpointWriter(1).write(folder);
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            assertThatThrownBy(() -> new LayerSkipModel(checkpoint, List.of(exit), 1, 1))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage(
                            "exit layer is %d; allowed: 1 to 3, as the model in %s has 4 layers",
                            exit, folder);
        }
    }

    private static int[] randomTokens(int count) {
        return new Random(1).ints(count, 3, 2048).toArray();
    }

    /** Logits after the last token at the exit. */
    private static double[] logitsAt(LayerSkipModel model, int[] prompt, int exit)
            throws Exception {
        try (KeyValueCache cache = model.newCache()) {
            int row = 0;
            for (int position = 0; position < prompt.length; position++) {
                row = position % LayerSkipModel.MAX_ROWS;
                cache.reserve(position + 1);
                model.embed(prompt[position], row);
                model.forwardEarly(exit, cache, position, row, 1);
            }
            return row(model.earlyLogits(exit, row));
        }
    }

    /** Logits after the last token of the whole model, in passes of as many tokens as fit. */
    private static double[] logitsVia(LayerSkipModel model, int[] prompt, int exit)
            throws Exception {
        try (KeyValueCache cache = model.newCache()) {
            int count = 0;
            for (int position = 0; position < prompt.length; position += count) {
                count = Math.min(prompt.length - position, LayerSkipModel.MAX_ROWS);
                cache.reserve(position + count);
                for (int row = 0; row < count; row++) {
                    model.embed(prompt[position + row], row);
                }
                model.forwardEarly(exit, cache, position, 0, count);
                model.forwardRemainder(exit, cache, position, 0, count);
            }
            return row(model.finalLogits(count - 1, 1));
        }
    }

    private static double[] row(TokenRows logits) {
        return IntStream.range(0, logits.width()).mapToDouble(logits.values()::get).toArray();
    }

    private static void assertClose(double[] actual, JsonNode expected) throws Exception {
        assertClose(actual, new ObjectMapper().convertValue(expected, double[].class));
    }

    private static void assertClose(double[] actual, double[] expected) {
        assertThat(actual).containsExactly(expected, within(1e-3));
    }
}
