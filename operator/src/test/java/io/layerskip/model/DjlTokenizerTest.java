package io.layerskip.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is made of unusual tokenizer.json files; {@link TokenizerTest} has the bundled one. */
class DjlTokenizerTest {

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int VOCAB_SIZE = 2048;

    @TempDir Path folder;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "a",
                "banking: I lost my card",
                " \n\n\t  ",
                "\uD83D\uDE00\uD83D\uDE00",
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            })
    void knowsHowManyTokensATextHasAtLeast(String text) throws Exception {
        try (Tokenizer tokenizer = open(bundled())) {
            String texts = text.repeat(50);

            assertThat(tokenizer.leastTokens(texts))
                    .isBetween(texts.length() / 100, tokenizer.encode(texts).length);
        }
    }

    @Test
    void knowsNothingOfATokenizerThatDropsUnknownCharacters() throws Exception {
        ObjectNode tokenizer = bundled();
        tokenizer.withObjectProperty("model").withObjectProperty("vocab").remove("\u0143");

        try (Tokenizer opened = open(tokenizer)) {
            assertThat(opened.leastTokens("ab ".repeat(1_000))).isZero();
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"normalizer\": {\"type\": \"Strip\", \"strip_left\": true, \"strip_right\": true}}",
                "{\"normalizer\": {\"type\": \"Replace\", \"pattern\": {\"String\": \"ab\"}, \"content\": \"\"}}",
                "{\"pre_tokenizer\": {\"type\": \"Whitespace\"}}",
                "{\"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"String\": \" \"},"
                        + " \"behavior\": \"Removed\", \"invert\": false}}"
            })
    void knowsNothingOfATokenizerThatLosesCharacters(String part) throws Exception {
        ObjectNode tokenizer = bundled();
        tokenizer.setAll((ObjectNode) JSON.readTree(part));

        try (Tokenizer opened = open(tokenizer)) {
            assertThat(opened.leastTokens("ab ".repeat(1_000))).isZero();
        }
    }

    @Test
    void refusesATokenOfTheVocabularyPastTheModels() throws Exception {
        ObjectNode tokenizer = bundled();
        tokenizer.withObjectProperty("model").withObjectProperty("vocab").put("new", VOCAB_SIZE);

        assertRefused(tokenizer, "token \"new\" has id 2048, config.json has vocab_size 2048");
    }

    @Test
    void refusesAnAddedTokenPastTheModels() throws Exception {
        ObjectNode tokenizer = bundled();
        tokenizer
                .withArray("added_tokens")
                .addObject()
                .put("id", 32_000)
                .put("content", "<image>")
                .put("special", true);

        assertRefused(tokenizer, "token \"<image>\" has id 32000, config.json has vocab_size 2048");
    }

    @Test
    void refusesAnIdThatIsNoId() throws Exception {
        ObjectNode tokenizer = bundled();
        tokenizer.withObjectProperty("model").withObjectProperty("vocab").put("new", -1);

        assertRefused(tokenizer, "token \"new\" has id -1, config.json has vocab_size 2048");
    }

    @Test
    void refusesAListOfTokensLongerThanTheModels() throws Exception {
        ObjectNode tokenizer = JSON.createObjectNode();
        ArrayNode vocabulary =
                tokenizer.putObject("model").put("type", "Unigram").putArray("vocab");
        for (int id = 0; id <= VOCAB_SIZE; id++) {
            vocabulary.addArray().add("t" + id).add(-1.5);
        }

        assertRefused(tokenizer, "token \"t2048\" has id 2048, config.json has vocab_size 2048");
    }

    @Test
    void refusesAPostProcessorWithATokenPastTheModels() throws Exception {
        ObjectNode tokenizer = bundled();
        tokenizer
                .withObjectProperty("post_processor")
                .withObjectProperty("special_tokens")
                .withObjectProperty("<s>")
                .putArray("ids")
                .add(9_999);

        assertRefused(
                tokenizer,
                "post_processor puts the tokens [9999] around a prompt, config.json has vocab_size 2048");
    }

    @Test
    void neitherTruncatesNorPadsWhereTheFileAsksForIt() throws Exception {
        ObjectNode tokenizer = bundled();
        tokenizer.set(
                "truncation",
                JSON.readTree(
                        """
                        {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0}
                        """));
        tokenizer.set(
                "padding",
                JSON.readTree(
                        """
                        {"strategy": {"Fixed": 100}, "direction": "Right", "pad_to_multiple_of": null,
                         "pad_id": 2, "pad_type_id": 0, "pad_token": "<pad>"}
                        """));
        BundledModel.GoldenCase golden = BundledModel.goldenCases().get(0);

        try (Tokenizer opened = open(tokenizer)) {
            assertThat(opened.encode(golden.prompt())).containsExactly(golden.promptIds());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "[]", "{", "{\"model\": 1}", "{\"model\": {\"type\": \"none\"}}"})
    void refusesAFileThatIsNoTokenizer(String content) throws Exception {
        Path file = Files.writeString(folder.resolve("tokenizer.json"), content);

        assertThatThrownBy(() -> DjlTokenizer.open(file, VOCAB_SIZE, true))
                .isInstanceOf(CheckpointException.class)
                .hasMessageStartingWith("tokenizer.json ");
    }

    @Test
    void putsTheTokensAroundAPromptThatTokenizerConfigAsksFor() throws Exception {
        int[] without = Arrays.copyOfRange(encodedWith("{}"), 1, encodedWith("{}").length);

        assertThat(encodedWith("{\"add_bos_token\": false}")).isEqualTo(without);
        assertThat(
                        encodedWith(
                                "{\"add_bos_token\": true, \"bos_token\": {\"content\": \"<s>\"},"
                                        + " \"add_eos_token\": true, \"eos_token\": \"</s>\"}"))
                .startsWith(0)
                .endsWith(1)
                .hasSize(without.length + 2);
        assertThat(encodedWith("{\"add_bos_token\": null, \"bos_token\": null}")).startsWith(0);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"add_bos_token\": true}",
                "{\"add_bos_token\": true, \"bos_token\": \"<bos>\"}"
            })
    void refusesATokenizerConfigThatAsksForATokenThatIsNone(String config) {
        assertThatThrownBy(() -> encodedWith(config))
                .isInstanceOf(CheckpointException.class)
                .hasMessageMatching(
                        "tokenizer_config.json: add_bos_token is true and bos_token is .*, expected"
                                + " an added token of tokenizer.json");
    }

    private int[] encodedWith(String tokenizerConfig) throws IOException {
        Files.writeString(folder.resolve("tokenizer_config.json"), tokenizerConfig);
        try (Tokenizer tokenizer = open(bundled())) {
            return tokenizer.encode("banking: I lost my card");
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void takesThePaddingPastTheModelsVocabularyForText(boolean split) throws Exception {
        ObjectNode tokenizer = bundled();
        tokenizer
                .withArray("added_tokens")
                .addObject()
                .put("id", VOCAB_SIZE)
                .put("content", "[PAD]")
                .put("special", true);
        Files.writeString(folder.resolve("tokenizer_config.json"), "{\"pad_token\": \"[PAD]\"}");

        try (Tokenizer opened = DjlTokenizer.open(write(tokenizer), VOCAB_SIZE, split)) {
            int[] ids = opened.encode("a [PAD] b");

            assertThat(ids).hasSizeGreaterThan(4);
            assertThat(Arrays.stream(ids).max().getAsInt()).isLessThan(VOCAB_SIZE);
        }
    }

    @Test
    void refusesPaddingFarPastTheModelsVocabulary() throws Exception {
        ObjectNode tokenizer = bundled();
        tokenizer
                .withArray("added_tokens")
                .addObject()
                .put("id", Integer.MAX_VALUE)
                .put("content", "[PAD]")
                .put("special", true);
        Files.writeString(folder.resolve("tokenizer_config.json"), "{\"pad_token\": \"[PAD]\"}");

        assertRefused(
                tokenizer, "token \"[PAD]\" has id 2147483647, config.json has vocab_size 2048");
    }

    @Test
    void saysHowToMakeATokenizerJsonOfATokenizerModel() throws Exception {
        Files.createFile(folder.resolve("tokenizer.model"));
        Path file = folder.resolve("tokenizer.json");

        assertThatThrownBy(() -> DjlTokenizer.open(file, VOCAB_SIZE, true))
                .isInstanceOf(CheckpointException.class)
                .hasMessageContaining(
                        "its tokenizer.model is not read. transformers makes one of the other: python");
    }

    @Test
    void knowsTheBytesInsideACharacter() throws Exception {
        try (Tokenizer tokenizer =
                DjlTokenizer.open(
                        ByteFallbackTokenizer.write(folder),
                        ByteFallbackTokenizer.VOCAB_SIZE,
                        true)) {
            int[] ids = tokenizer.encode("\n\uD83D\uDE00");

            // <s>, the space before every text, a newline, and the four bytes of the emoji.
            assertThat(Arrays.stream(ids).mapToObj(tokenizer::continuesCharacter))
                    .containsExactly(false, false, false, false, true, true, true);
        }
    }

    private static ObjectNode bundled() throws IOException {
        return (ObjectNode) JSON.readTree(BundledModel.folder().resolve("tokenizer.json").toFile());
    }

    private void assertRefused(ObjectNode tokenizer, String reason) throws IOException {
        Path file = write(tokenizer);

        assertThatThrownBy(() -> DjlTokenizer.open(file, VOCAB_SIZE, true))
                .isInstanceOf(CheckpointException.class)
                .hasMessage("tokenizer.json: " + reason);
    }

    private Tokenizer open(ObjectNode tokenizer) throws IOException {
        return DjlTokenizer.open(write(tokenizer), VOCAB_SIZE, true);
    }

    private Path write(ObjectNode tokenizer) throws IOException {
        Path file = folder.resolve("tokenizer.json");
        JSON.writeValue(file.toFile(), tokenizer);
        return file;
    }
}
