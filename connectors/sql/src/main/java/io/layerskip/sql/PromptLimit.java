package io.layerskip.sql;

import io.layerskip.model.Tokenizer;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Holds prompts to a number of tokens.
 *
 * @param size most tokens of a prompt, special tokens included
 * @param action what becomes of one that has more
 */
record PromptLimit(Tokenizer tokenizer, int size, ContextOverflowAction action) {

    private static final Logger LOG = LoggerFactory.getLogger(PromptLimit.class);

    /**
     * The prompt, or as much of it as there may be.
     *
     * @return empty if the row is to be left out
     */
    Optional<String> apply(String prompt) {
        boolean surelyLonger = tokenizer.leastTokens(prompt) > size;
        if (!surelyLonger && tokenizer.encode(prompt).length <= size) {
            return Optional.of(prompt);
        }
        if (action.logs()) {
            LOG.info(
                    "A prompt of {} characters has more than {} tokens: {}",
                    prompt.length(),
                    size,
                    action);
        }
        return action.skips() ? Optional.empty() : Optional.of(truncate(prompt));
    }

    /**
     * The longest beginning, or end, that has no more tokens, found by halves. Whole characters are
     * cut off, so the rest is text as it was; a text has no fewer tokens than a part of it, or so
     * few that it does not matter here.
     */
    private String truncate(String prompt) {
        int fits = 0;
        int tooLong = prompt.codePointCount(0, prompt.length());
        while (tooLong - fits > 1) {
            int middle = (fits + tooLong) >>> 1;
            String part = part(prompt, middle);
            if (tokenizer.leastTokens(part) <= size && tokenizer.encode(part).length <= size) {
                fits = middle;
            } else {
                tooLong = middle;
            }
        }
        return part(prompt, fits);
    }

    private String part(String prompt, int characters) {
        return action.keepsHead()
                ? prompt.substring(0, prompt.offsetByCodePoints(0, characters))
                : prompt.substring(prompt.offsetByCodePoints(prompt.length(), -characters));
    }
}
