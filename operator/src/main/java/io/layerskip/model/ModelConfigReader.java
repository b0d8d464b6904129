package io.layerskip.model;

import io.layerskip.model.RotaryEmbedding.Llama3Scaling;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.apache.flink.annotation.Internal;

/**
 * Reads config.json and generation_config.json.
 *
 * <p>Fields have the meaning and the defaults of Hugging Face's {@code LlamaConfig}; what changes
 * the architecture and is not served (biases, other activations, other rope types) is refused
 * rather than ignored. The upper bounds lie far above any model there is: they keep products of two
 * of them within an {@code int}, so that a hostile file cannot overflow later arithmetic.
 */
@Internal
public final class ModelConfigReader {

    static final String CONFIG = "config.json";
    static final String GENERATION_CONFIG = "generation_config.json";
    static final int MAX_FILE_BYTES = 1 << 20;

    private static final int MAX_VOCABULARY = 1 << 24;
    private static final int MAX_CONTEXT = 1 << 24;
    private static final int MAX_LAYERS = 1024;
    private static final int MAX_WIDTH = 1 << 20;
    private static final int MAX_HEADS = 1024;
    private static final int MAX_HEAD_DIM = 1024;
    private static final double DEFAULT_RMS_NORM_EPS = 1e-6;
    private static final double DEFAULT_ROPE_THETA = 10_000;
    private static final String EOS_TOKEN_ID = "eos_token_id";

    private ModelConfigReader() {}

    /**
     * The configuration of the checkpoint in that folder.
     *
     * @throws CheckpointException if config.json is missing, or either file describes what is not
     *     served
     */
    public static ModelConfig read(Path folder) throws CheckpointException {
        JsonFields config = JsonFields.read(folder.resolve(CONFIG), MAX_FILE_BYTES);
        requireLlama(config);

        int vocabSize = config.integer("vocab_size", 1, MAX_VOCABULARY);
        int hiddenSize = config.integer("hidden_size", 1, MAX_WIDTH);
        int heads = config.integer("num_attention_heads", 1, MAX_HEADS);
        List<Integer> eosTokenIds = config.integers(EOS_TOKEN_ID, 0, vocabSize - 1);
        OptionalInt maxNewTokens = OptionalInt.empty();

        Path generationFile = folder.resolve(GENERATION_CONFIG);
        if (Files.exists(generationFile)) {
            JsonFields generation = JsonFields.read(generationFile, MAX_FILE_BYTES);
            maxNewTokens = generation.optionalInteger("max_new_tokens", 1, MAX_CONTEXT);
            if (generation.has(EOS_TOKEN_ID)) {
                eosTokenIds = generation.integers(EOS_TOKEN_ID, 0, vocabSize - 1);
            }
        }

        return new ModelConfig(
                vocabSize,
                hiddenSize,
                config.integer("intermediate_size", 1, MAX_WIDTH),
                config.integer("num_hidden_layers", 2, MAX_LAYERS),
                heads,
                keyValueHeads(config, heads),
                headDim(config, hiddenSize, heads),
                config.integer("max_position_embeddings", 1, MAX_CONTEXT),
                (float) config.number("rms_norm_eps", 0, 1, DEFAULT_RMS_NORM_EPS),
                rotaryEmbedding(config),
                config.flag("tie_word_embeddings", false),
                eosTokenIds,
                maxNewTokens);
    }

    private static void requireLlama(JsonFields config) throws CheckpointException {
        List<String> architectures = config.texts("architectures");
        Optional<String> modelType = config.text("model_type");
        if (architectures.isEmpty() && modelType.isEmpty()
                || config.has("architectures") && !architectures.contains("LlamaForCausalLM")) {
            throw config.refused("architectures", "[\"LlamaForCausalLM\"]");
        }
        if (modelType.isPresent() && !modelType.get().equals("llama")) {
            throw config.refused("model_type", "\"llama\"");
        }
        if (!config.text("hidden_act").orElse("silu").equals("silu")) {
            throw config.refused("hidden_act", "\"silu\"");
        }
        for (String bias : List.of("attention_bias", "mlp_bias")) {
            if (config.flag(bias, false)) {
                throw config.refused(bias, "false: layers with biases are not supported");
            }
        }
        if (config.number("partial_rotary_factor", 0, 1, 1) != 1) {
            throw config.refused("partial_rotary_factor", "1: every dimension rotated");
        }
    }

    private static int keyValueHeads(JsonFields config, int heads) throws CheckpointException {
        int keyValueHeads = config.optionalInteger("num_key_value_heads", 1, heads).orElse(heads);
        if (heads % keyValueHeads != 0) {
            throw config.refused(
                    "num_key_value_heads", "a divisor of num_attention_heads, " + heads);
        }
        return keyValueHeads;
    }

    private static int headDim(JsonFields config, int hiddenSize, int heads)
            throws CheckpointException {
        if (!config.has("head_dim") && hiddenSize % heads != 0) {
            throw config.refused(
                    "hidden_size",
                    "a multiple of num_attention_heads, " + heads + ", as there is no head_dim");
        }
        int headDim =
                config.optionalInteger("head_dim", 2, MAX_HEAD_DIM).orElse(hiddenSize / heads);
        if (headDim % 2 != 0 || headDim > MAX_HEAD_DIM) {
            throw config.refused(
                    config.has("head_dim") ? "head_dim" : "hidden_size",
                    "heads of an even width up to " + MAX_HEAD_DIM + ", not " + headDim);
        }
        return headDim;
    }

    /** Older files have rope_theta and rope_scaling, newer ones both in rope_parameters. */
    private static RotaryEmbedding rotaryEmbedding(JsonFields config) throws CheckpointException {
        Optional<JsonFields> parameters = config.object("rope_parameters");
        double theta = theta(config, DEFAULT_ROPE_THETA);
        if (parameters.isPresent()) {
            theta = theta(parameters.get(), theta);
        }
        Optional<JsonFields> scaling =
                parameters.isPresent() ? parameters : config.object("rope_scaling");
        return new RotaryEmbedding(
                theta, scaling.isPresent() ? scaling(scaling.get()) : Optional.empty());
    }

    private static double theta(JsonFields fields, double absent) throws CheckpointException {
        return fields.number("rope_theta", 1, 1e12, absent);
    }

    private static Optional<Llama3Scaling> scaling(JsonFields scaling) throws CheckpointException {
        String field = scaling.has("rope_type") ? "rope_type" : "type";
        switch (scaling.text(field).orElse("default")) {
            case "default":
                return Optional.empty();
            case "llama3":
                double lowFreqFactor = scaling.number("low_freq_factor", 1e-6, 1e6);
                double highFreqFactor = scaling.number("high_freq_factor", 1e-6, 1e6);
                if (highFreqFactor <= lowFreqFactor) {
                    throw scaling.refused(
                            "high_freq_factor", "more than low_freq_factor, " + lowFreqFactor);
                }
                return Optional.of(
                        new Llama3Scaling(
                                scaling.number("factor", 1, 1e6),
                                lowFreqFactor,
                                highFreqFactor,
                                scaling.integer(
                                        "original_max_position_embeddings", 1, MAX_CONTEXT)));
            default:
                throw scaling.refused(field, "\"default\" or \"llama3\"");
        }
    }
}
