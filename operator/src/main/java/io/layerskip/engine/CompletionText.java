package io.layerskip.engine;

import io.layerskip.model.Tokenizer;
import java.util.List;

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
    private final List<String> stops;
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
        this.stops = stops;
        this.windowStart = Math.max(0, promptLength - CONTEXT_TOKENS);
        this.decoded = promptLength;
    }

    /** Takes the tokens written so far; returns the text that is now certain and new. */
    String advance(int[] tokens, int length) {
        String added = pending(tokens, length);
        // A token without text, a special one, is no start for a window: decoders skip it.
        if (!added.isEmpty() && !added.endsWith(REPLACEMENT)) {
            append(added);
            windowStart = decoded;
            decoded = length;
        }
        return release(stopped ? text.length() : text.length() - possibleStopLength());
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
        int end = -1;
        for (String stop : stops) {
            int at = text.indexOf(stop, Math.max(0, from - stop.length() + 1));
            if (at >= 0 && (end < 0 || at < end)) {
                end = at;
            }
        }
        if (end >= 0) {
            text.setLength(end);
            stopped = true;
        }
    }

    /** Length of the longest end of the text that a stop text starts with. */
    private int possibleStopLength() {
        int longest = 0;
        for (String stop : stops) {
            for (int n = Math.min(stop.length() - 1, text.length()); n > longest; n--) {
                if (stop.startsWith(text.substring(text.length() - n))) {
                    longest = n;
                }
            }
        }
        return longest;
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
