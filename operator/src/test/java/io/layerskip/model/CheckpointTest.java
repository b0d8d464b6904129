package io.layerskip.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class CheckpointTest {

    private static final String UP_PROJ = "model.layers.3.mlp.up_proj.weight";
    private static final String INDEX = "model.safetensors.index.json";

    @TempDir Path temporary;

    private final CheckpointWriter writer = new CheckpointWriter(1);
    private Path folder;

    @BeforeEach
    void nameFolder() {
        folder = temporary.resolve("model");
    }

    @Test
    void opensTheBundledModel() throws Exception {
        try (Checkpoint checkpoint = Checkpoint.open(BundledModel.folder())) {
            Weight norm = checkpoint.weight("model.layers.11.input_layernorm.weight");

            assertThat(checkpoint.config().numHiddenLayers()).isEqualTo(12);
            assertThat(norm.type()).isEqualTo(WeightType.F16);
            assertThat(norm.shape()).containsExactly(256L);
            assertThat(checkpoint.tokenizer().encode("")).containsExactly(0);
        }
    }

    @ParameterizedTest
    @EnumSource
    void opensEveryTypeOfWeight(WeightType type) throws Exception {
        writer.type(type).write(folder);

        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            Weight weight = checkpoint.weight(UP_PROJ);
            assertThat(weight.type()).isEqualTo(type);
            assertThat(weight.length()).isEqualTo(96 * 64 * type.bytes());
        }
    }

    @Test
    void readsTheSameWeightsFromShards() throws Exception {
        Path whole = writer.write(temporary.resolve("whole"));
        writer.shards(3).write(folder);

        try (Checkpoint expected = Checkpoint.open(whole);
                Checkpoint sharded = Checkpoint.open(folder)) {
            assertThat(bytes(sharded.weight(UP_PROJ))).isEqualTo(bytes(expected.weight(UP_PROJ)));
        }
    }

    @Test
    void hasAFingerprintThatFollowsFromWeightsAndArchitecture() throws Exception {
        String fingerprint = fingerprint(writer.write(folder));

        assertThat(fingerprint(new CheckpointWriter(1).write(temporary.resolve("same"))))
                .isEqualTo(fingerprint);
        assertThat(fingerprint(new CheckpointWriter(2).write(temporary.resolve("weights"))))
                .isNotEqualTo(fingerprint);
        assertThat(
                        fingerprint(
                                writer.config("rms_norm_eps", 1e-4)
                                        .write(temporary.resolve("architecture"))))
                .isNotEqualTo(fingerprint);
    }

    private static String fingerprint(Path folder) throws IOException {
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            return checkpoint.fingerprint();
        }
    }

    @Test
    void opensAHeadDimOfItsOwnAndGroupedQueries() throws Exception {
        writer.config("head_dim", 24).config("num_key_value_heads", 1).write(folder);

        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            assertThat(checkpoint.weight("model.layers.0.self_attn.o_proj.weight").shape())
                    .containsExactly(64L, 96L);
            assertThat(checkpoint.weight("model.layers.0.self_attn.k_proj.weight").shape())
                    .containsExactly(24L, 64L);
        }
    }

    @Test
    void anUntiedHeadIsATensorOfItsOwn() throws Exception {
        writer.write(folder);

        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            assertThat(checkpoint.weight("lm_head.weight").shape()).containsExactly(2048L, 64L);
        }
    }

    @Test
    void aTiedHeadIsIgnoredWhereOneStandsInTheFile() throws Exception {
        writer.config("tie_word_embeddings", true).with("lm_head.weight", 1L, 2L).write(folder);

        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            assertThatThrownBy(() -> checkpoint.weight("lm_head.weight"))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("config.json implies no tensor lm_head.weight");
        }
    }

    @Test
    void ignoresTensorsThatTheConfigDoesNotImply() throws Exception {
        writer.with("model.layers.0.self_attn.rotary_emb.inv_freq", 8L).write(folder);

        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            assertThat(checkpoint.config().numHiddenLayers()).isEqualTo(4);
        }
    }

    @Test
    void refusesAPathThatIsNoFolder() {
        assertThatThrownBy(() -> Checkpoint.open(folder))
                .isInstanceOf(CheckpointException.class)
                .hasMessage(
                        folder
                                + " is not a folder, expected a checkpoint as downloaded from Hugging Face");
    }

    @ParameterizedTest
    @ValueSource(strings = {"config.json", "model.safetensors", "tokenizer.json"})
    void refusesAFolderWithoutOneOfItsFiles(String file) throws Exception {
        writer.write(folder);
        Files.delete(folder.resolve(file));

        assertRefused(file + " is missing from " + folder);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "model.embed_tokens.weight",
                "model.layers.0.input_layernorm.weight",
                "model.layers.1.self_attn.q_proj.weight",
                "model.layers.2.self_attn.k_proj.weight",
                "model.layers.3.self_attn.v_proj.weight",
                "model.layers.0.self_attn.o_proj.weight",
                "model.layers.1.post_attention_layernorm.weight",
                "model.layers.2.mlp.gate_proj.weight",
                "model.layers.3.mlp.up_proj.weight",
                "model.layers.0.mlp.down_proj.weight",
                "model.norm.weight",
                "lm_head.weight"
            })
    void refusesAMissingTensor(String tensor) throws Exception {
        writer.without(tensor).write(folder);

        assertRefused(
                "model.safetensors: tensor " + tensor + " is missing, config.json implies it");
    }

    @Test
    void refusesATensorOfAnotherShape() throws Exception {
        writer.with(UP_PROJ, 96L, 32L).write(folder);

        assertRefused(
                "model.safetensors: tensor model.layers.3.mlp.up_proj.weight has shape [96, 32], config.json implies [96, 64]");
    }

    @Test
    void refusesAMissingShard() throws Exception {
        writer.shards(2).write(folder);
        Files.delete(folder.resolve("model-00002-of-00002.safetensors"));

        assertRefused("model-00002-of-00002.safetensors is missing from " + folder);
    }

    @Test
    void refusesAnIndexWithoutATensor() throws Exception {
        writer.without(UP_PROJ).shards(2).write(folder);

        assertRefused(INDEX + ": tensor " + UP_PROJ + " is missing, config.json implies it");
    }

    @Test
    void refusesAShardWithoutTheTensorThatTheIndexPlacesThere() throws Exception {
        writer.without(UP_PROJ).shards(2).write(folder);
        Path index = folder.resolve(INDEX);
        Files.writeString(
                index,
                Files.readString(index)
                        .replace(
                                "{\"weight_map\":{",
                                "{\"weight_map\":{\""
                                        + UP_PROJ
                                        + "\":\"model-00001-of-00002.safetensors\","));

        assertRefused(
                "model-00001-of-00002.safetensors: tensor "
                        + UP_PROJ
                        + " is missing, config.json implies it");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "../model.safetensors",
                "/etc/model.safetensors",
                "a\\\\b.safetensors",
                "..",
                "",
                "model.bin"
            })
    void refusesAnIndexThatLeadsOutOfTheFolder(String shard) throws Exception {
        writer.shards(2).write(folder);
        Files.writeString(folder.resolve(INDEX), "{\"weight_map\": {\"a\": \"" + shard + "\"}}");

        assertRefused(
                INDEX
                        + ": weight_map.a is \""
                        + shard
                        + "\", expected the name of a .safetensors file in the folder");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{} | weight_map is missing, expected the file of each tensor",
                "{\"weight_map\": []} | weight_map is [], expected an object",
                "{\"weight_map\": {\"a\": 1}} | weight_map.a is 1, expected a string"
            })
    void refusesAnIndexThatIsNoMapOfFiles(String content, String reason) throws Exception {
        writer.shards(2).write(folder);
        Files.writeString(folder.resolve(INDEX), content);

        assertRefused(INDEX + ": " + reason);
    }

    @Test
    void refusesATokenizerThatPassesTheVocabulary() throws Exception {
        writer.config("vocab_size", 2000).write(folder);

        assertThatThrownBy(() -> Checkpoint.open(folder))
                .isInstanceOf(CheckpointException.class)
                .hasMessageMatching(
                        "tokenizer\\.json: token \".+\" has id 2000, config\\.json has vocab_size 2000");
    }

    private void assertRefused(String message) {
        assertThatThrownBy(() -> Checkpoint.open(folder))
                .isInstanceOf(CheckpointException.class)
                .hasMessage(message);
    }

    private static byte[] bytes(Weight weight) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(weight.file().toFile(), "r")) {
            byte[] bytes = new byte[(int) weight.length()];
            file.seek(weight.offset());
            file.readFully(bytes);
            return bytes;
        }
    }
}
