package io.layerskip.engine;

import java.util.OptionalInt;

/**
 * What a request wants beside its completion.
 *
 * @param logprobs each token's log probability, and those of so many likely ones in its place
 * @param confidence how sure the model was
 * @param echo the prompt, before the text
 */
record Reporting(OptionalInt logprobs, boolean confidence, boolean echo) {

    /** Nothing. */
    static final Reporting NOTHING = new Reporting(OptionalInt.empty(), false, false);

    static Reporting of(GenerationParameters asked) {
        return new Reporting(asked.logprobs(), asked.returnConfidence(), asked.echo());
    }

    /** How many likely tokens are noted beside each one that is written; empty to note nothing. */
    OptionalInt likely() {
        return logprobs.isEmpty() && confidence ? OptionalInt.of(0) : logprobs;
    }
}
