package io.layerskip.engine;

import io.layerskip.model.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;

/**
 * The text of a completion, token by token: whole characters only, cut before a stop text.
 *
 * <p>Tokens are decoded in a window that starts a few tokens back, as in vLLM's and Hugging Face's
 * streamers, since a decoder may treat the first token of a text differently. Text is held back
 * while it ends in half a character or in what may become a stop text.
 */
final class CompletionText {

    private static final int CONTEXT_TOKENS = 5;
    private static final String REPLACEMENT = "\uFFFD";

    private final Tokenizer tokenizer;
    private final List<StopText> stops;
    private final int leastLength;
    private final StringBuilder text = new StringBuilder();

    private int length;
    private int windowStart;
    private int decoded;
    private int released;
    private boolean stopped;

    /**
     * @param prompt tokens before the completion
     */
    CompletionText(Tokenizer tokenizer, List<String> stops, int[] prompt) {
        this(tokenizer, stops, prompt, 0);
    }

    /**
     * @param prompt tokens before the completion
     * @param minTokens of the completion; a stop text that ends in one of them ends nothing
     */
    CompletionText(Tokenizer tokenizer, List<String> stops, int[] prompt, int minTokens) {
        this.tokenizer = tokenizer;
        this.stops = stops.stream().map(StopText::new).toList();
        this.leastLength = prompt.length + minTokens;
        this.length = prompt.length;
        this.windowStart = characterStart(prompt, Math.max(0, prompt.length - CONTEXT_TOKENS));
        this.decoded = prompt.length;
    }

    /** Takes the tokens written so far; returns the text that is now certain and new. */
    String advance(int[] tokens, int length) {
        passMinTokens(tokens, length);
        take(tokens, length);
        int heldBack = stopped ? 0 : stops.stream().mapToInt(StopText::begun).max().orElse(0);
        return release(text.length() - heldBack);
    }

    /** Takes the tokens in which nothing ends by themselves, where more come at once. */
    private void passMinTokens(int[] tokens, int length) {
        if (this.length < leastLength && leastLength < length) {
            take(tokens, leastLength);
        }
    }

    private void take(int[] tokens, int length) {
        decoded = characterBorder(tokens, length);
        String added = pending(tokens, decoded, length);
        this.length = length;
        // A token without text, a special one, is no start for a window: decoders skip it.
        if (!stopped && !added.isEmpty() && !added.endsWith(REPLACEMENT)) {
            append(added);
            windowStart = decoded;
            decoded = length;
        }
    }

    /**
     * Takes the last tokens; returns what text was still held back. Half a character is dropped,
     * and so is U+FFFD at the end, which is how half a character is decoded.
     */
    String finish(int[] tokens, int length) {
        passMinTokens(tokens, length);
        if (!stopped && decoded < length) {
            this.length = length;
            decoded = characterBorder(tokens, length);
            append(withoutHalfCharacter(pending(tokens, decoded, length)));
            decoded = length;
        }
        return release(text.length());
    }

    /**
     * What each of some tokens would add to the text, were it the next one; empty for one that
     * leaves half a character.
     */
    List<String> textsOfNext(int[] candidates, int[] tokens, int length) {
        int[] longer = Arrays.copyOf(tokens, length + 1);
        List<String> texts = new ArrayList<>();
        for (int candidate : candidates) {
            longer[length] = candidate;
            String added = pending(longer, characterBorder(longer, length + 1), length + 1);
            texts.add(added.endsWith(REPLACEMENT) ? "" : added);
        }
        return texts;
    }

    /** Whether there are stop texts to look for. */
    boolean hasStops() {
        return !stops.isEmpty();
    }

    /** Whether a stop text came; nothing is added after it. */
    boolean stopped() {
        return stopped;
    }

    /** All text released so far. */
    String text() {
        return text.substring(0, released);
    }

    /** Where the character starts that a token stands in, if that is one of its bytes. */
    private int characterStart(int[] tokens, int at) {
        int start = at;
        while (start > 0 && tokenizer.continuesCharacter(tokens[start])) {
            start--;
        }
        return start;
    }

    /**
     * Where the decoded text ends: before half a character of the prompt that the next token goes
     * on with, as that is not text yet.
     */
    private int characterBorder(int[] tokens, int length) {
        int start = decoded < length ? characterStart(tokens, decoded) : decoded;
        boolean isHalf =
                start < decoded && tokenizer.decode(tokens, start, decoded).endsWith(REPLACEMENT);
        return isHalf ? start : decoded;
    }

    private String pending(int[] tokens, int from, int length) {
        String before = tokenizer.decode(tokens, windowStart, from);
        String all = tokenizer.decode(tokens, windowStart, length);
        if (!all.startsWith(before)) {
            // It ends in half a character, of which the other half has come.
            before = withoutHalfCharacter(before);
        }
        return all.substring(Math.min(before.length(), all.length()));
    }

    private static String withoutHalfCharacter(String text) {
        int end = text.length();
        while (end > 0 && text.startsWith(REPLACEMENT, end - 1)) {
            end--;
        }
        return text.substring(0, end);
    }

    private void append(String added) {
        int from = text.length();
        text.append(added);
        if (length <= leastLength) {
            stops.forEach(stop -> stop.pass(added));
            return;
        }
        OptionalInt stop =
                stops.stream()
                        .map(candidate -> candidate.firstIn(added))
                        .flatMapToInt(OptionalInt::stream)
                        .min();
        if (stop.isPresent()) {
            text.setLength(from + stop.getAsInt());
            stopped = true;
        }
    }

    private String release(int end) {
        if (end <= released) {
            return "";
        }
        String certain = text.substring(released, end);
        released = end;
        return certain;
    }
}
