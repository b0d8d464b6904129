package io.layerskip.engine;

import static org.assertj.core.api.Assertions.assertThat;

import io.layerskip.model.ByteFallbackTokenizer;
import io.layerskip.model.LlamaTokenizers;
import io.layerskip.model.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Streamed text is what the whole has more than the prompt, wherever the prompt ends. */
class StreamedTextTest {

    /** The token of the byte 0x80, which can only continue a character. */
    private static final int[] STRAY_BYTE = {3 + 0x80};

    @TempDir Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"a", "ok \n\n ok", "\n", "a😀b", "😀😀😀", "漢字\n漢字 é ok\t", "  a  a "})
    void isTheTextThatFollowsThePrompt(String text) throws IOException {
        try (Tokenizer tokenizer = byteFallback()) {
            int[] tokens = tokenizer.encode(text.repeat(3));
            for (int cut = 1; cut <= tokens.length; cut++) {
                assertStreamed(tokenizer, tokens, cut);
            }
        }
    }

    @Test
    void findsAStopTextThatIsBytes() throws IOException {
        try (Tokenizer tokenizer = byteFallback()) {
            int[] tokens = tokenizer.encode("😀😀\n");
            int[] prompt = Arrays.copyOf(tokens, tokens.length - 1);
            CompletionText text = new CompletionText(tokenizer, List.of("\n"), prompt);

            assertThat(text.advance(tokens, tokens.length)).isEmpty();
            assertThat(text.stopped()).isTrue();
        }
    }

    @ParameterizedTest
    @EnumSource
    @EnabledIf(
            value = "io.layerskip.model.LlamaTokenizers#areThere",
            disabledReason = "the tokenizers of Llama 2 and 3 are not beside the repository")
    void isTheTextThatFollowsThePromptInLlama(LlamaTokenizers llama) throws IOException {
        try (Tokenizer tokenizer = llama.open()) {
            for (LlamaTokenizers.Case text : llama.cases()) {
                for (int cut = 1; cut <= text.ids().length; cut++) {
                    assertStreamed(tokenizer, text.ids(), cut);
                }
            }
        }
    }

    @Test
    void aByteThatContinuesNothingLeavesTheTextBeforeItAlone() throws IOException {
        try (Tokenizer tokenizer = byteFallback()) {
            int[] tokens = with(tokenizer.encode("okok"), STRAY_BYTE, letters(tokenizer, "ok"));
            for (int cut = 1; cut <= tokens.length; cut++) {
                assertStreamed(tokenizer, tokens, cut);
            }
        }
    }

    @Test
    void askingForTheTextsOfNextTokensLeavesNoTrace() throws IOException {
        try (Tokenizer tokenizer = byteFallback()) {
            int[] prompt = tokenizer.encode("okok");
            int[] next = letters(tokenizer, "ok");
            int[] tokens = with(prompt, next);
            CompletionText text = new CompletionText(tokenizer, List.of(), prompt);

            assertThat(text.textsOfNext(with(STRAY_BYTE, next), prompt, prompt.length))
                    .containsExactly("", "ok");
            assertThat(text.advance(tokens, tokens.length)).isEqualTo("ok");
        }
    }

    /** The tokens of a text that follows another. */
    private static int[] letters(Tokenizer tokenizer, String text) {
        int[] tokens = tokenizer.encode("a" + text);
        int[] before = tokenizer.encode("a");
        return Arrays.copyOfRange(tokens, before.length, tokens.length);
    }

    private static int[] with(int[]... parts) {
        return Arrays.stream(parts).flatMapToInt(Arrays::stream).toArray();
    }

    private Tokenizer byteFallback() throws IOException {
        return LlamaTokenizers.open(
                ByteFallbackTokenizer.write(folder), ByteFallbackTokenizer.VOCAB_SIZE);
    }

    private static void assertStreamed(Tokenizer tokenizer, int[] tokens, int cut) {
        String all = tokenizer.decode(tokens, 0, tokens.length);
        int prompt = promptLength(tokenizer, tokens, cut, all);

        assertThat(streamed(tokenizer, tokens, cut))
                .as("after %d tokens of %s", cut, Arrays.toString(tokens))
                .isEqualTo(all.substring(prompt));
    }

    /** How much of the text a prompt has; a character that is cut in two is not the prompt's. */
    private static int promptLength(Tokenizer tokenizer, int[] tokens, int cut, String all) {
        String withoutHalf = tokenizer.decode(tokens, 0, cut).replaceFirst("\uFFFD+$", "");
        int whole = cut;
        while (!all.startsWith(tokenizer.decode(tokens, 0, whole))) {
            whole--;
        }
        return Math.max(withoutHalf.length(), tokenizer.decode(tokens, 0, whole).length());
    }

    private static String streamed(Tokenizer tokenizer, int[] tokens, int cut) {
        CompletionText text = new CompletionText(tokenizer, List.of(), Arrays.copyOf(tokens, cut));
        StringBuilder streamed = new StringBuilder();
        for (int length = cut + 1; length <= tokens.length; length++) {
            streamed.append(text.advance(tokens, length));
        }
        return streamed.append(text.finish(tokens, tokens.length)).toString();
    }
}
