package io.layerskip.engine;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** The log probabilities of a completion, token by token, and the texts that they belong to. */
final class CompletionLogprobs {

    private static final int FIRST_TOKENS = 64;

    private final CompletionText text;
    private final boolean withTexts;

    /** Replaced by a larger one when it is full: what others have seen of it stays. */
    private TokenLogprobs[] tokens = new TokenLogprobs[FIRST_TOKENS];

    private int count;

    /**
     * @param text of the completion, which no text stops
     * @param withTexts whether anybody asks for the texts of the tokens
     */
    CompletionLogprobs(CompletionText text, boolean withTexts) {
        this.text = text;
        this.withTexts = withTexts;
    }

    /**
     * Takes over what an earlier run has noted, before the first token.
     *
     * @param written prompt and completion, of which the first {@code length} are written
     */
    void resume(List<TokenLogprobs> noted, int[] written, int length) {
        tokens = noted.toArray(new TokenLogprobs[Math.max(FIRST_TOKENS, noted.size())]);
        count = noted.size();
        if (withTexts) {
            text.advance(written, length);
        }
    }

    /**
     * Adds the token that was written last.
     *
     * @param written prompt and completion, of which the first {@code length} are written
     */
    void add(LogProbabilities.Noted noted, int[] written, int length) {
        int[] likeliest = noted.likeliest();
        List<String> texts =
                withTexts ? text.textsOfNext(likeliest, written, length - 1) : List.of();
        List<TokenLogprob> top = new ArrayList<>();
        for (int i = 0; i < texts.size(); i++) {
            top.add(new TokenLogprob(likeliest[i], texts.get(i), noted.likeliestLogprobs()[i]));
        }
        String added = withTexts ? text.advance(written, length) : "";
        if (count == tokens.length) {
            tokens = Arrays.copyOf(tokens, 2 * count);
        }
        tokens[count++] =
                new TokenLogprobs(
                        new TokenLogprob(written[length - 1], added, noted.logprob()), top);
    }

    /** Those of all tokens; valid up to {@link #count}. */
    TokenLogprobs[] tokens() {
        return tokens;
    }

    int count() {
        return count;
    }

    List<TokenLogprobs> toList() {
        return List.of(Arrays.copyOf(tokens, count));
    }
}
