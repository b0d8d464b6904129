package io.layerskip.engine;

import static org.assertj.core.api.Assertions.assertThat;

import io.layerskip.model.BundledModel;
import io.layerskip.model.Checkpoint;
import io.layerskip.model.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
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
        CompletionText completion = new CompletionText(tokenizer, List.of(), prompt());

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
        CompletionText completion = new CompletionText(tokenizer, List.of("STOPPED"), prompt());
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
        CompletionText completion = new CompletionText(tokenizer, List.of(), prompt());

        completion.finish(tokens, tokens.length);

        assertThat(completion.text()).isEqualTo("nobody watched 🚀");
    }

    @Test
    void releasesWhatASearchOfTheWholeTextWould() {
        for (int seed = 0; seed < 2_000; seed++) {
            Random random = new Random(seed);
            List<String> stops =
                    Stream.generate(() -> text(random, 1 + random.nextInt(6)))
                            .limit(1 + random.nextInt(4))
                            .toList();
            int[] tokens = tokens(text(random, 60));
            CompletionText completion = new CompletionText(tokenizer, stops, prompt());
            CompletionText pieces = new CompletionText(tokenizer, List.of(), prompt());
            SearchedText expected = new SearchedText(stops);
            int length = PROMPT_LENGTH;
            while (length < tokens.length && !completion.stopped()) {
                length = Math.min(tokens.length, length + 1 + random.nextInt(4));
                assertThat(completion.advance(tokens, length))
                        .isEqualTo(expected.add(pieces.advance(tokens, length)));
                assertThat(completion.stopped()).isEqualTo(expected.stopped);
            }

            assertThat(completion.finish(tokens, length))
                    .isEqualTo(expected.finish(pieces.finish(tokens, length)));
            assertThat(completion.stopped()).isEqualTo(expected.stopped);
            assertThat(completion.text()).isEqualTo(expected.text.toString());
        }
    }

    /** Few different characters, so that stop texts come and nearly come; two share a surrogate. */
    private static String text(Random random, int characters) {
        return Stream.generate(() -> List.of("a", "a", "b", "🚀", "🛑").get(random.nextInt(5)))
                .limit(characters)
                .collect(Collectors.joining());
    }

    /** What a completion's text is, by search. */
    private static final class SearchedText {
        private final List<String> stops;
        private final StringBuilder text = new StringBuilder();
        private int released;
        private boolean stopped;

        SearchedText(List<String> stops) {
            this.stops = stops;
        }

        String add(String piece) {
            append(piece);
            return release(stopped ? text.length() : text.length() - heldBack());
        }

        String finish(String piece) {
            if (!stopped) {
                append(piece);
            }
            return release(text.length());
        }

        /** Ends before the stop text that starts first, of those that end in the piece. */
        private void append(String piece) {
            int from = text.length();
            text.append(piece);
            OptionalInt first =
                    stops.stream()
                            .mapToInt(
                                    stop ->
                                            text.indexOf(
                                                    stop, Math.max(0, from - stop.length() + 1)))
                            .filter(start -> start >= 0)
                            .min();
            if (first.isPresent()) {
                text.setLength(first.getAsInt());
                stopped = true;
            }
        }

        private int heldBack() {
            return IntStream.range(0, text.length())
                    .mapToObj(text::substring)
                    .filter(end -> stops.stream().anyMatch(stop -> stop.startsWith(end)))
                    .mapToInt(String::length)
                    .max()
                    .orElse(0);
        }

        private String release(int end) {
            String certain = text.substring(released, end);
            released = end;
            return certain;
        }
    }

    /** What is released token by token. */
    private static List<String> releases(String text, List<String> stops) {
        int[] tokens = tokens(text);
        CompletionText completion = new CompletionText(tokenizer, stops, prompt());
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
        int[] encoded = tokenizer.encode(text);
        int[] tokens = Arrays.copyOf(prompt(), PROMPT_LENGTH + encoded.length - 1);
        System.arraycopy(encoded, 1, tokens, PROMPT_LENGTH, encoded.length - 1);
        return tokens;
    }

    private static int[] prompt() {
        return Arrays.copyOf(tokenizer.encode("home: turn the lights on\n"), PROMPT_LENGTH);
    }
}
