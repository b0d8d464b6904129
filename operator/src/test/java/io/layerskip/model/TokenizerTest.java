package io.layerskip.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.layerskip.model.BundledModel.GoldenCase;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class TokenizerTest {

    private static final int BOS = 0;
    private static final int EOS = 1;
    private static final int PAD = 2;
    private static final Path FILE = BundledModel.folder().resolve("tokenizer.json");

    private Tokenizer tokenizer;

    @BeforeAll
    void open() throws Exception {
        tokenizer = DjlTokenizer.open(FILE, 2048, true);
    }

    @AfterAll
    void close() {
        tokenizer.close();
    }

    static List<GoldenCase> goldenCases() {
        return BundledModel.goldenCases();
    }

    @Test
    void goldenFileHas120Prompts() {
        assertThat(goldenCases()).hasSize(120);
    }

    @ParameterizedTest
    @MethodSource("goldenCases")
    void encodesAGoldenPromptAsTheReferenceDoes(GoldenCase golden) {
        assertThat(tokenizer.encode(golden.prompt())).containsExactly(golden.promptIds());
    }

    @ParameterizedTest
    @MethodSource("goldenCases")
    void decodesAGoldenCompletionAsTheReferenceDoes(GoldenCase golden) {
        int[] ids = golden.completionIds();

        assertThat(tokenizer.decode(ids, 0, ids.length)).isEqualTo(golden.completion());
    }

    @Test
    void encodesAnEmptyTextAsItsSpecialTokens() {
        assertThat(tokenizer.encode("")).containsExactly(BOS);
    }

    @Test
    void encodesATextFarLongerThanTheContextWhole() {
        String text = "banking: where is my card? ".repeat(2000);

        int[] ids = tokenizer.encode(text);

        assertThat(tokenizer.decode(ids, 0, ids.length)).isEqualTo(text);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"a , b . c ' s don 't", "snow \u2603, rocket \ud83d\ude80", "nul \0 end"})
    void decodesWhatItEncoded(String text) {
        int[] ids = tokenizer.encode(text);

        assertThat(tokenizer.decode(ids, 0, ids.length)).isEqualTo(text);
    }

    @Test
    void decodesARange() {
        int[] ids = tokenizer.encode("banking");

        assertThat(tokenizer.decode(new int[] {262, ids[1], EOS, 270}, 1, 3)).isEqualTo("banking");
    }

    @Test
    void decodesAnEmptyRangeAsNothing() {
        assertThat(tokenizer.decode(new int[] {262}, 1, 1)).isEmpty();
    }

    @Test
    void decodesHalfACharacterAsReplacementCharacter() {
        int[] rocket = tokenizer.encode("\ud83d\ude80");

        assertThat(tokenizer.decode(rocket, 0, 2)).contains("\ufffd");
    }

    @Test
    void refusesARangeOutsideTheIds() {
        assertThatThrownBy(() -> tokenizer.decode(new int[3], 2, 4))
                .isInstanceOf(IndexOutOfBoundsException.class);
    }

    @Test
    void encodesALoneSurrogateWithoutHarm() {
        assertThat(tokenizer.encode("a\ud800b")).isNotEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"<s>", "</s>", "a</s>b", "<pad> <s></s>"})
    void takesTheTextOfASpecialTokenForText(String text) {
        int[] ids = tokenizer.encode(text);

        assertThat(Arrays.stream(ids).skip(1)).doesNotContain(BOS, EOS, PAD);
        assertThat(tokenizer.decode(ids, 0, ids.length)).isEqualTo(text);
    }

    @Test
    void takesTheTextOfASpecialTokenForThatTokenIfToldTo() throws Exception {
        try (Tokenizer trusting = DjlTokenizer.open(FILE, 2048, false)) {
            assertThat(trusting.encode("</s>")).containsExactly(BOS, EOS);
        }
    }

    /** Control characters, every plane, noncharacters, private use; a megabyte of spaces. */
    @Test
    void decodesWhateverUnicodeItEncoded() {
        StringBuilder text = new StringBuilder(" ".repeat(1 << 20));
        for (int codePoint = 0; codePoint <= Character.MAX_CODE_POINT; codePoint += 61) {
            if (codePoint < Character.MIN_SURROGATE || codePoint > Character.MAX_SURROGATE) {
                text.appendCodePoint(codePoint);
            }
        }
        IntStream.range(0, 128).forEach(text::appendCodePoint);

        int[] ids = tokenizer.encode(text.toString());

        assertThat(Arrays.stream(ids)).allMatch(id -> id >= 0 && id < 2048);
        assertThat(tokenizer.decode(ids, 0, ids.length).equals(text.toString())).isTrue();
    }

    @Test
    void encodesForSeveralThreadsAtOnce() {
        List<GoldenCase> prompts =
                Collections.nCopies(20, goldenCases()).stream().flatMap(List::stream).toList();

        assertThat(prompts.parallelStream())
                .allMatch(
                        golden ->
                                Arrays.equals(
                                        tokenizer.encode(golden.prompt()), golden.promptIds()));
    }

    @Test
    void refusesToEncodeOnceClosed() throws Exception {
        Tokenizer closed = DjlTokenizer.open(FILE, 2048, true);
        closed.close();
        closed.close();

        assertThatThrownBy(() -> closed.encode("a")).isInstanceOf(IllegalStateException.class);
    }
}
