package io.layerskip.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.layerskip.model.RotaryEmbedding.Llama3Scaling;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ModelConfigReaderTest {

    private static final String LLAMA_3_2 =
            """
            "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192
            """;
    private static final RotaryEmbedding LLAMA_3_2_ROPE =
            new RotaryEmbedding(500_000, Optional.of(new Llama3Scaling(32, 1, 4, 8192)));

    @TempDir Path temporary;

    private final CheckpointWriter writer = new CheckpointWriter(1);

    @Test
    void readsTheBundledModel() throws Exception {
        assertThat(ModelConfigReader.read(BundledModel.folder()))
                .isEqualTo(
                        new ModelConfig(
                                2048,
                                256,
                                640,
                                12,
                                4,
                                2,
                                64,
                                512,
                                1e-5f,
                                new RotaryEmbedding(10_000, Optional.empty()),
                                true,
                                List.of(1),
                                OptionalInt.of(96)));
    }

    @Test
    void keyValueHeadsAreTheQueryHeadsWhereAbsent() throws Exception {
        writer.withoutConfig("num_key_value_heads");

        assertThat(read().numKeyValueHeads()).isEqualTo(4);
    }

    @Test
    void headDimIsTheHiddenSizeByTheHeadsWhereAbsent() throws Exception {
        assertThat(read().headDim()).isEqualTo(16);
    }

    @Test
    void headDimMayDifferFromTheHiddenSizeByTheHeads() throws Exception {
        writer.config("head_dim", 24);

        assertThat(read().headDim()).isEqualTo(24);
    }

    @Test
    void headIsUntiedWhereNothingIsSaid() throws Exception {
        writer.withoutConfig("tie_word_embeddings");

        assertThat(read().tieWordEmbeddings()).isFalse();
    }

    @Test
    void ropeThetaIs10000WhereAbsent() throws Exception {
        writer.withoutConfig("rope_theta");

        assertThat(read().rope()).isEqualTo(new RotaryEmbedding(10_000, Optional.empty()));
    }

    @ParameterizedTest
    @ValueSource(strings = {"null", "{}", "{\"rope_type\": \"default\"}"})
    void ropeIsNotScaledWhereNothingAsksForIt(String scaling) throws Exception {
        writer.config("rope_scaling", json(scaling));

        assertThat(read().rope().scaling()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"rope_type", "type"})
    void readsLlama3ScalingByTheNewAndTheOldKey(String key) throws Exception {
        writer.config("rope_theta", 500_000.0)
                .config("rope_scaling", json("{\"" + key + "\": \"llama3\", " + LLAMA_3_2 + "}"));

        assertThat(read().rope()).isEqualTo(LLAMA_3_2_ROPE);
    }

    @Test
    void readsTheRopeParametersOfNewerFiles() throws Exception {
        writer.withoutConfig("rope_theta")
                .config(
                        "rope_parameters",
                        json(
                                "{\"rope_theta\": 500000.0, \"rope_type\": \"llama3\", "
                                        + LLAMA_3_2
                                        + "}"));

        assertThat(read().rope()).isEqualTo(LLAMA_3_2_ROPE);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {"7 | 7", "[1, 7, 1] | 1,7", "[] | ''", "null | ''"})
    void eosIsAnIdAListOrNull(String eos, String expected) throws Exception {
        writer.config("eos_token_id", json(eos));

        assertThat(read().eosTokenIds().stream().map(String::valueOf))
                .containsExactly(split(expected));
    }

    @Test
    void eosOfTheGenerationConfigWins() throws Exception {
        writer.generationConfig("eos_token_id", List.of(3, 4));

        assertThat(read().eosTokenIds()).containsExactly(3, 4);
    }

    @Test
    void eosOfTheConfigHoldsWhereTheGenerationConfigHasNone() throws Exception {
        writer.generationConfig("max_new_tokens", 20);

        assertThat(read().eosTokenIds()).containsExactly(1);
    }

    @Test
    void readsMaxNewTokensOfTheGenerationConfig() throws Exception {
        writer.generationConfig("max_new_tokens", 20);

        assertThat(read().defaultMaxNewTokens()).hasValue(20);
    }

    @Test
    void hasNoMaxNewTokensWithoutAGenerationConfig() throws Exception {
        assertThat(read().defaultMaxNewTokens()).isEmpty();
    }

    @Test
    void acceptsALlamaThatSaysOnlyItsModelType() throws Exception {
        writer.withoutConfig("architectures");

        assertThat(read().numHiddenLayers()).isEqualTo(4);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "architectures | [\"MistralForCausalLM\"] | expected [\"LlamaForCausalLM\"]",
                "architectures | \"LlamaForCausalLM\" | expected a list of strings",
                "architectures | [1] | expected a list of strings",
                "model_type | \"mistral\" | expected \"llama\"",
                "hidden_act | \"gelu\" | expected \"silu\"",
                "attention_bias | true | expected false: layers with biases are not supported",
                "mlp_bias | true | expected false: layers with biases are not supported",
                "mlp_bias | 1 | expected true or false",
                "partial_rotary_factor | 0.5 | expected 1: every dimension rotated",
                "vocab_size | null | expected an integer from 1 to 16777216",
                "vocab_size | 0 | expected an integer from 1 to 16777216",
                "vocab_size | 99999999999999999999 | expected an integer from 1 to 16777216",
                "vocab_size | 2048.0 | expected an integer from 1 to 16777216",
                "hidden_size | \"64\" | expected an integer from 1 to 1048576",
                "hidden_size | 66 | expected a multiple of num_attention_heads, 4, as there is no head_dim",
                "hidden_size | 60 | expected heads of an even width up to 1024, not 15",
                "intermediate_size | -1 | expected an integer from 1 to 1048576",
                "num_hidden_layers | 1 | expected an integer from 2 to 1024",
                "num_hidden_layers | 1025 | expected an integer from 2 to 1024",
                "num_attention_heads | [] | expected an integer from 1 to 1024",
                "num_key_value_heads | 3 | expected a divisor of num_attention_heads, 4",
                "num_key_value_heads | 8 | expected an integer from 1 to 4",
                "head_dim | 15 | expected heads of an even width up to 1024, not 15",
                "max_position_embeddings | 16777217 | expected an integer from 1 to 16777216",
                "rms_norm_eps | 2 | expected a number from 0.0 to 1.0",
                "rope_theta | \"10000\" | expected a number from 1.0 to 1.0E12",
                "rope_scaling | [] | expected an object",
                "tie_word_embeddings | \"yes\" | expected true or false",
                "eos_token_id | 2048 | expected an integer from 0 to 2047",
                "eos_token_id | -1 | expected an integer from 0 to 2047"
            })
    void refusesAFieldAndSaysWhatItExpected(String field, String value, String expected)
            throws Exception {
        writer.config(field, json(value));

        assertThatThrownBy(this::read)
                .isInstanceOf(CheckpointException.class)
                .hasMessage("config.json: %s is %s, %s", field, value, expected);
    }

    @Test
    void refusesAMissingField() {
        writer.withoutConfig("hidden_size");

        assertThatThrownBy(this::read)
                .hasMessage(
                        "config.json: hidden_size is missing, expected an integer from 1 to 1048576");
    }

    @Test
    void refusesAnEosInAListThatPassesTheVocabulary() throws Exception {
        writer.generationConfig("eos_token_id", json("[1, 2048]"));

        assertThatThrownBy(this::read)
                .hasMessage(
                        "generation_config.json: eos_token_id is 2048, expected an integer from 0 to 2047");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{\"rope_type\": \"yarn\"} | rope_type is \"yarn\", expected \"default\" or \"llama3\"",
                "{\"type\": \"linear\"} | type is \"linear\", expected \"default\" or \"llama3\"",
                "{\"type\": \"llama3\"} | low_freq_factor is missing, expected a number from 1.0E-6 to 1000000.0"
            })
    void refusesARopeTypeAndSaysWhichAreServed(String scaling, String reason) throws Exception {
        writer.config("rope_scaling", json(scaling));

        assertThatThrownBy(this::read)
                .isInstanceOf(CheckpointException.class)
                .hasMessage("config.json: rope_scaling." + reason);
    }

    @Test
    void refusesAMissingConfig() {
        assertThatThrownBy(() -> ModelConfigReader.read(temporary))
                .isInstanceOf(CheckpointException.class)
                .hasMessage("config.json is missing from " + temporary);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{ | config.json is not JSON: Unexpected end-of-input",
                "[] | config.json does not hold a JSON object",
                "`` | config.json does not hold a JSON object",
                "{} {} | config.json is not JSON: ",
                "{\"a\": 1, \"a\": 2} | config.json is not JSON: Duplicate field 'a'",
            })
    void refusesAConfigThatIsNotAJsonObject(String content, String reason) throws Exception {
        Files.writeString(temporary.resolve("config.json"), content);

        assertThatThrownBy(() -> ModelConfigReader.read(temporary))
                .isInstanceOf(CheckpointException.class)
                .hasMessageStartingWith(reason);
    }

    @Test
    void refusesAConfigOfMoreThanAMegabyte() throws Exception {
        Files.writeString(temporary.resolve("config.json"), "{}" + " ".repeat(1 << 20));

        assertThatThrownBy(() -> ModelConfigReader.read(temporary))
                .hasMessage("config.json has more than 1048576 bytes, the most that is read");
    }

    private ModelConfig read() throws IOException {
        return ModelConfigReader.read(writer.writeConfig(temporary));
    }

    private static JsonNode json(String text) throws IOException {
        return new ObjectMapper().readTree(text);
    }

    private static String[] split(String ids) {
        return ids.isEmpty() ? new String[0] : ids.split(",");
    }
}
