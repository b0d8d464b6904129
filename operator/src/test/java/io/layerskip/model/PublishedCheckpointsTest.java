package io.layerskip.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The published facebook/layerskip-* checkpoints, with the fields that their config.json have: as
 * many layers and heads, and a hundredth of the width.
 */
class PublishedCheckpointsTest {

    private static final int HEAD_DIM = 2;

    @TempDir Path folder;

    @ParameterizedTest
    @CsvSource({
        // name, layers, heads, key/value heads, context, theta, epsilon
        "llama2-7B, 32, 32, 32, 4096, 10000, 1e-5",
        "llama2-13B, 40, 40, 40, 4096, 10000, 1e-5",
        "llama2-70B, 80, 64, 8, 4096, 10000, 1e-5",
        "codellama-7B, 32, 32, 32, 16384, 1000000, 1e-5",
        "codellama-34B, 48, 64, 8, 16384, 1000000, 1e-5",
        "llama3-8B, 32, 32, 8, 8192, 500000, 1e-5",
    })
    void opens(
            String name,
            int layers,
            int heads,
            int keyValueHeads,
            int context,
            double theta,
            double epsilon)
            throws IOException {
        CheckpointWriter writer =
                published(layers, heads, keyValueHeads, context, theta, epsilon)
                        .config("rope_scaling", null)
                        .config("tie_word_embeddings", false);

        try (Checkpoint checkpoint = Checkpoint.open(writer.write(folder))) {
            ModelConfig config = checkpoint.config();
            assertThat(config.numHiddenLayers()).isEqualTo(layers);
            assertThat(config.numKeyValueHeads()).isEqualTo(keyValueHeads);
            assertThat(config.headDim()).isEqualTo(HEAD_DIM);
            assertThat(config.maxPositionEmbeddings()).isEqualTo(context);
            assertThat(config.defaultMaxNewTokens()).isEmpty();
        }
    }

    @ParameterizedTest
    @CsvSource("16, 32, 8, 131072, 500000, 1e-5")
    void opensLlama32(
            int layers, int heads, int keyValueHeads, int context, double theta, double epsilon)
            throws IOException {
        CheckpointWriter writer =
                published(layers, heads, keyValueHeads, context, theta, epsilon)
                        .config(
                                "rope_scaling",
                                Map.of(
                                        "factor", 32.0,
                                        "high_freq_factor", 4.0,
                                        "low_freq_factor", 1.0,
                                        "original_max_position_embeddings", 8192,
                                        "rope_type", "llama3"))
                        .config("head_dim", HEAD_DIM)
                        .config("tie_word_embeddings", true);

        try (Checkpoint checkpoint = Checkpoint.open(writer.write(folder))) {
            assertThat(checkpoint.config().tieWordEmbeddings()).isTrue();
            assertThat(checkpoint.config().rope().scaling()).isPresent();
        }
    }

    private static CheckpointWriter published(
            int layers, int heads, int keyValueHeads, int context, double theta, double epsilon) {
        return new CheckpointWriter(1)
                .config("attention_bias", false)
                .config("attention_dropout", 0.0)
                .config("bos_token_id", 0)
                .config("hidden_act", "silu")
                .config("hidden_size", heads * HEAD_DIM)
                .config("initializer_range", 0.02)
                .config("intermediate_size", 8)
                .config("max_position_embeddings", context)
                .config("mlp_bias", false)
                .config("num_attention_heads", heads)
                .config("num_hidden_layers", layers)
                .config("num_key_value_heads", keyValueHeads)
                .config("pretraining_tp", 1)
                .config("rms_norm_eps", epsilon)
                .config("rope_theta", theta)
                .config("torch_dtype", "bfloat16")
                .config("transformers_version", "4.45.2")
                .config("use_cache", true)
                .type(WeightType.BF16);
    }
}
