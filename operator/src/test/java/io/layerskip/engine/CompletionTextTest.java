package io.layerskip.engine;

import static org.assertj.core.api.Assertions.assertThat;

import io.layerskip.model.BundledModel;
import io.layerskip.model.Checkpoint;
import io.layerskip.model.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class CompletionTextTest {

    private static final int PROMPT_LENGTH = 4;

    private static Checkpoint checkpoint;
    private static Tokenizer tokenizer;

    @BeforeAll
    static void open() throws Exception {
        checkpoint = Checkpoint.open(BundledModel.folder());
        tokenizer = checkpoint.tokenizer();
    }

    @AfterAll
    static void close() {
        checkpoint.close();
    }

    @Test
    void neverReleasesHalfACharacter() {
        // Byte-level tokens: each emoji and each kanji is several tokens.
        String text = "né 🚀 漢字 ok";

        List<String> pieces = releases(text, List.of());

        assertThat(pieces).noneMatch(piece -> piece.contains("\uFFFD"));
        assertThat(String.join("", pieces)).isEqualTo(text);
        assertThat(pieces).contains(" 🚀".strip());
    }

    @Test
    void dropsHalfACharacterAtTheEnd() {
        int[] tokens = tokens("ok 🚀");
        CompletionText completion = new CompletionText(tokenizer, List.of(), PROMPT_LENGTH);

        String rest = completion.finish(tokens, tokens.length - 1);

        assertThat(rest).isEqualTo("ok ");
        assertThat(completion.text()).isEqualTo("ok ");
    }

    @Test
    void endsBeforeAStopTextThatSpansTokens() {
        List<String> pieces = releases("{\"intent\":\"greeting\"} and more", List.of("\"}"));

        assertThat(String.join("", pieces)).isEqualTo("{\"intent\":\"greeting");
    }

    @Test
    void holdsBackWhatMayBecomeAStopText() {
        int[] tokens = tokens("one STOP two");
        CompletionText completion =
                new CompletionText(tokenizer, List.of("STOPPED"), PROMPT_LENGTH);
        StringBuilder released = new StringBuilder();
        for (int length = PROMPT_LENGTH + 1; length <= tokens.length; length++) {
            released.append(completion.advance(tokens, length));
            assertThat(released.toString()).doesNotEndWith("STOP");
        }

        assertThat(released + completion.finish(tokens, tokens.length)).isEqualTo("one STOP two");
        assertThat(completion.stopped()).isFalse();
    }

    @Test
    void takesTheEarliestOfSeveralStopTexts() {
        assertThat(String.join("", releases("a, b; c", List.of(";", ",")))).isEqualTo("a");
    }

    @Test
    void givesTheWholeTextAtOnceWhereNobodyWatched() {
        int[] tokens = tokens("nobody watched 🚀");
        CompletionText completion = new CompletionText(tokenizer, List.of(), PROMPT_LENGTH);

        completion.finish(tokens, tokens.length);

        assertThat(completion.text()).isEqualTo("nobody watched 🚀");
    }

    /** What is released token by token. */
    private static List<String> releases(String text, List<String> stops) {
        int[] tokens = tokens(text);
        CompletionText completion = new CompletionText(tokenizer, stops, PROMPT_LENGTH);
        List<String> pieces = new ArrayList<>();
        int length = PROMPT_LENGTH;
        while (length < tokens.length && !completion.stopped()) {
            pieces.add(completion.advance(tokens, ++length));
        }
        pieces.add(completion.finish(tokens, length));
        return pieces;
    }

    /** A prompt of {@link #PROMPT_LENGTH} tokens, then the text's. */
    private static int[] tokens(String text) {
        int[] prompt = Arrays.copyOf(tokenizer.encode("home: turn the lights on\n"), PROMPT_LENGTH);
        int[] encoded = tokenizer.encode(text);
        int[] tokens = Arrays.copyOf(prompt, PROMPT_LENGTH + encoded.length - 1);
        System.arraycopy(encoded, 1, tokens, PROMPT_LENGTH, encoded.length - 1);
        return tokens;
    }
}
