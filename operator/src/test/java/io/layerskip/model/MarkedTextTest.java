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
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Texts of which only some parts may hold special tokens, with the bundled tokenizer. */
class MarkedTextTest {

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int VOCAB_SIZE = 2048;
    private static final int BOS = 0;
    private static final int EOS = 1;

    @TempDir Path folder;

    @BeforeEach
    void writeTemplate() throws IOException {
        Files.writeString(folder.resolve(ChatSettings.TEMPLATE_FILE), "{{ messages }}");
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void findsSpecialTokensInSpecialPartsOnly(boolean split) throws IOException {
        try (Tokenizer tokenizer = open(bundled(), split)) {
            int[] ids = tokenizer.encode(text("<s>", true, "a </s> <s> b", false, "</s>", true));

            assertThat(ids).startsWith(BOS).endsWith(EOS);
            assertThat(Arrays.stream(ids, 1, ids.length - 1)).doesNotContain(BOS, EOS);
            assertThat(tokenizer.decode(ids, 0, ids.length)).isEqualTo("a </s> <s> b");
        }
    }

    @Test
    void putsNoTokensAroundAText() throws IOException {
        try (Tokenizer tokenizer = open(bundled(), true)) {
            int[] prompt = tokenizer.encode("Where is my card?");

            assertThat(tokenizer.encode(text("Where is my card?", false)))
                    .containsExactly(Arrays.copyOfRange(prompt, 1, prompt.length));
        }
    }

    @ParameterizedTest
    @CsvSource({"'Where is m', 'y card?'", "'Whe', 're is my card?'", "'', 'Where is my card?'"})
    void tokenizesAsAWholeAcrossABorder(String template, String message) throws IOException {
        try (Tokenizer tokenizer = open(bundled(), true)) {
            assertThat(tokenizer.encode(text(template, true, message, false)))
                    .containsExactly(tokenizer.encode(text(template + message, false)));
        }
    }

    @Test
    void findsNoSpecialTokenAcrossABorder() throws IOException {
        try (Tokenizer tokenizer = open(bundled(), true)) {
            assertThat(tokenizer.encode(text("</", true, "s", false, ">", true)))
                    .containsExactly(tokenizer.encode(text("</s>", false)));
        }
    }

    @Test
    void findsASpecialTokenInPartsThatFollowEachOther() throws IOException {
        try (Tokenizer tokenizer = open(bundled(), true)) {
            assertThat(tokenizer.encode(text("</", true, "s>", true))).containsExactly(EOS);
        }
    }

    @Test
    void takesTheLongestTokenThatBeginsSomewhere() throws IOException {
        ObjectNode tokenizer = bundled();
        addToken(tokenizer, 100, "<s>>", true);
        addToken(tokenizer, 101, "x<s", false);
        try (Tokenizer opened = open(tokenizer, true)) {
            assertThat(opened.encode(text("<s>><s>x<s><s>", true)))
                    .startsWith(100, BOS, 101)
                    .endsWith(BOS);
        }
    }

    @Test
    void keepsTheIdsOfAddedTokensWhereverTheyStand() throws IOException {
        ObjectNode tokenizer = bundled();
        // Not in the vocabulary, not in the order of their ids, and with one between them.
        addToken(tokenizer, VOCAB_SIZE + 2, "<call>", false);
        addToken(tokenizer, VOCAB_SIZE, "<end>", true);

        try (Tokenizer opened = open(tokenizer, VOCAB_SIZE + 3, true)) {
            assertThat(opened.encode(text("<end><call>", true, "<call><end>", false)))
                    .startsWith(VOCAB_SIZE, VOCAB_SIZE + 2, VOCAB_SIZE + 2)
                    .hasSizeGreaterThan(4);
        }
    }

    @Test
    void takesNoMarkedTextWithoutAChatTemplate() throws IOException {
        Files.delete(folder.resolve(ChatSettings.TEMPLATE_FILE));
        try (Tokenizer tokenizer = open(bundled(), true)) {
            assertThat(tokenizer.encodesMarkedText()).isFalse();
            assertThatThrownBy(() -> tokenizer.encode(text("a", true)))
                    .isInstanceOf(UnsupportedOperationException.class);
        }
    }

    @Test
    void servesPlainPromptsWhereASpecialTokenCannotBeMarked() throws IOException {
        ObjectNode tokenizer = bundled();
        addToken(tokenizer, 100, "<100>", true);
        // A normalizer that drops all letters leaves nothing of a mark.
        ObjectNode normalizer = tokenizer.putObject("normalizer");
        normalizer.put("type", "Replace").put("content", "");
        normalizer.putObject("pattern").put("Regex", "[a-z]");
        ArrayNode tokens = tokenizer.withArray("added_tokens");
        ((ObjectNode) tokens.get(tokens.size() - 1)).put("normalized", true);

        try (Tokenizer opened = open(tokenizer, true)) {
            assertThat(opened.encodesMarkedText()).isFalse();
            assertThat(opened.encode("1 <100> 2")).startsWith(BOS).doesNotContain(100);
        }
    }

    private static MarkedText text(Object... partsAndMarks) {
        MarkedText.Builder text = new MarkedText.Builder();
        for (int i = 0; i < partsAndMarks.length; i += 2) {
            text.add((String) partsAndMarks[i], (Boolean) partsAndMarks[i + 1]);
        }
        return text.build();
    }

    private static void addToken(ObjectNode tokenizer, int id, String text, boolean special) {
        ArrayNode tokens = tokenizer.withArray("added_tokens");
        tokens.addObject()
                .put("id", id)
                .put("content", text)
                .put("single_word", false)
                .put("lstrip", false)
                .put("rstrip", false)
                .put("normalized", false)
                .put("special", special);
    }

    private static ObjectNode bundled() throws IOException {
        return (ObjectNode) JSON.readTree(BundledModel.folder().resolve("tokenizer.json").toFile());
    }

    private Tokenizer open(ObjectNode tokenizer, boolean split) throws IOException {
        return open(tokenizer, VOCAB_SIZE, split);
    }

    private Tokenizer open(ObjectNode tokenizer, int vocabSize, boolean split) throws IOException {
        Path file = folder.resolve("tokenizer.json");
        JSON.writeValue(file.toFile(), tokenizer);
        return DjlTokenizer.open(file, vocabSize, split);
    }
}
