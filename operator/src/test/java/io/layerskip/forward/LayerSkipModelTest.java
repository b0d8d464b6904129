package io.layerskip.forward;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.layerskip.model.BundledModel;
import io.layerskip.model.Checkpoint;
import io.layerskip.model.CheckpointWriter;
import io.layerskip.model.ModelConfig;
import io.layerskip.model.WeightType;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
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
                LayerSkipModel model = open(checkpoint, 1, 6, 1, 3, 2)) {
            for (JsonNode golden : new ObjectMapper().readTree(file)) {
                int[] prompt =
                        new ObjectMapper().convertValue(golden.get("prompt_ids"), int[].class);
                JsonNode expected = golden.get("logits_after_layer");
                for (int exit : new int[] {1, 2, 3, 6}) {
                    assertClose(logitsAt(model, prompt, exit), expected.get("" + exit));
                }
                assertClose(logitsVia(model, prompt), expected.get("" + LAST_LAYER));
            }
        }
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("architectures")
    void computesWhatTheReferenceComputes(String name, CheckpointWriter writer) throws Exception {
        int[] prompt = randomTokens(150);
        writer.config("max_position_embeddings", 256).write(folder);
        try (Checkpoint checkpoint = Checkpoint.open(folder);
                LayerSkipModel model = open(checkpoint, 1, 2)) {
            ReferenceLlama reference = new ReferenceLlama(checkpoint);

            assertClose(logitsAt(model, prompt, 2), reference.logits(prompt, 2));
            assertClose(logitsVia(model, prompt), reference.logits(prompt, 4));
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
                LayerSkipModel model = open(checkpoint, 1, 2)) {
            assertClose(logitsVia(model, prompt), new ReferenceLlama(checkpoint).logits(prompt, 4));
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, 0, 4, 5})
    void refusesAnExitLayerThatIsNotInside(int exit) throws Exception {
        new CheckpointWriter(1).write(folder);
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            assertThatThrownBy(() -> open(checkpoint, 1, exit))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage(
                            "exit layer is %d; allowed: 1 to 3, as the model in %s has 4 layers",
                            exit, folder);
        }
    }

    private static int[] randomTokens(int count) {
        return new Random(1).ints(count, 3, 2048).toArray();
    }

    @Test
    void aRowDoesNotDependOnItsCompany() throws Exception {
        int[] first = randomTokens(90);
        int[] second = Arrays.copyOfRange(first, 20, 70);
        try (Checkpoint checkpoint = Checkpoint.open(BundledModel.folder());
                LayerSkipModel model = open(checkpoint, 1, 2);
                KeyValueCache one = cacheFor(checkpoint, first.length);
                KeyValueCache other = cacheFor(checkpoint, second.length)) {
            double[] alone = logitsVia(model, second, one, 7);

            RaggedBatch spans = new RaggedBatch();
            for (int row = 0; row < first.length; row++) {
                model.embed(first[row], row);
            }
            for (int row = 0; row < second.length; row++) {
                model.embed(second[row], first.length + row);
            }
            spans.add(one, 0, first.length);
            spans.add(other, 0, second.length);
            model.forward(0, spans);
            model.forward(1, spans);

            assertClose(logits(model, 2, spans.rows() - 1), alone);
        }
    }

    @Test
    void severalThreadsComputeWhatOneDoes() throws Exception {
        int[] prompt = randomTokens(150);
        new CheckpointWriter(1).config("max_position_embeddings", 256).write(folder);
        try (Checkpoint checkpoint = Checkpoint.open(folder);
                LayerSkipModel one = open(checkpoint, 1, 2);
                LayerSkipModel two = open(checkpoint, 2, 2)) {
            assertClose(logitsVia(two, prompt), logitsVia(one, prompt));
        }
    }

    /** Logits after the last token at the exit, a token at a time. */
    private static double[] logitsAt(LayerSkipModel model, int[] prompt, int exit)
            throws Exception {
        try (KeyValueCache cache = cacheFor(model.config(), prompt.length)) {
            RaggedBatch spans = new RaggedBatch();
            for (int position = 0; position < prompt.length; position++) {
                model.embed(prompt[position], 0);
                spans.clear();
                spans.add(cache, position, 1);
                for (int segment = 0; segment < model.segmentAfter(exit); segment++) {
                    model.forward(segment, spans);
                }
            }
            return logits(model, model.segmentAfter(exit), 0);
        }
    }

    /** Logits after the last token of the whole model, in one pass. */
    private static double[] logitsVia(LayerSkipModel model, int[] prompt) throws Exception {
        try (KeyValueCache cache = cacheFor(model.config(), prompt.length)) {
            return logitsVia(model, prompt, cache, prompt.length);
        }
    }

    /** Logits after the last token of the whole model, in passes of at most so many tokens. */
    private static double[] logitsVia(
            LayerSkipModel model, int[] prompt, KeyValueCache cache, int most) throws Exception {
        RaggedBatch spans = new RaggedBatch();
        for (int position = 0; position < prompt.length; position += spans.rows()) {
            spans.clear();
            spans.add(cache, position, Math.min(prompt.length - position, most));
            for (int row = 0; row < spans.rows(); row++) {
                model.embed(prompt[position + row], row);
            }
            for (int segment = 0; segment < model.segments(); segment++) {
                model.forward(segment, spans);
            }
        }
        return logits(model, model.segments(), spans.rows() - 1);
    }

    private static double[] logits(LayerSkipModel model, int segment, int row) throws Exception {
        model.headInput().write(0, model.states(segment), row);
        return row(model.logits(1));
    }

    private static KeyValueCache cacheFor(Checkpoint checkpoint, int tokens) {
        return cacheFor(checkpoint.config(), tokens);
    }

    private static KeyValueCache cacheFor(ModelConfig config, int tokens) {
        KeyValueCache cache =
                new KeyValueCache(new KeyValueMemory(config, KeyValueCacheType.FLOAT32, 1L << 30));
        assertThat(cache.reserve(tokens)).isTrue();
        return cache;
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

    private static LayerSkipModel open(Checkpoint checkpoint, int threads, Integer... exitLayers)
            throws IOException {
        return new LayerSkipModel(
                checkpoint, List.of(exitLayers), Precision.FP32, Optional.empty(), threads);
    }
}
