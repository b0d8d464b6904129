package io.layerskip.engine;

import io.layerskip.model.Tokenizer;
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
    private final StringBuilder text = new StringBuilder();

    private int windowStart;
    private int decoded;
    private int released;
    private boolean stopped;

    /**
     * @param promptLength tokens before the completion
     */
    CompletionText(Tokenizer tokenizer, List<String> stops, int promptLength) {
        this.tokenizer = tokenizer;
        this.stops = stops.stream().map(StopText::new).toList();
        this.windowStart = Math.max(0, promptLength - CONTEXT_TOKENS);
        this.decoded = promptLength;
    }

    /** Takes the tokens written so far; returns the text that is now certain and new. */
    String advance(int[] tokens, int length) {
        String added = pending(tokens, length);
        // A token without text, a special one, is no start for a window: decoders skip it.
        if (!stopped && !added.isEmpty() && !added.endsWith(REPLACEMENT)) {
            append(added);
            windowStart = decoded;
            decoded = length;
        }
        int heldBack = stopped ? 0 : stops.stream().mapToInt(StopText::begun).max().orElse(0);
        return release(text.length() - heldBack);
    }

    /**
     * Takes the last tokens; returns what text was still held back. Half a character is dropped.
     */
    String finish(int[] tokens, int length) {
        if (!stopped && decoded < length) {
            append(pending(tokens, length).replaceFirst(REPLACEMENT + "+$", ""));
            decoded = length;
        }
        return release(text.length());
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

    private String pending(int[] tokens, int length) {
        String before = tokenizer.decode(tokens, windowStart, decoded);
        String all = tokenizer.decode(tokens, windowStart, length);
        return all.substring(Math.min(before.length(), all.length()));
    }

    private void append(String added) {
        int from = text.length();
        text.append(added);
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
