package io.layerskip.engine;

import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * What one request asks of its generation; an empty field means the engine's default.
 *
 * <p>The names are those of OpenAI's completions API and, for what that lacks, of Hugging Face's
 * {@code generate}. A value that no model could honour is refused here; what depends on the model
 * (context length, open exit layers) is checked by the engine.
 *
 * @param maxTokens most tokens to write, at least 1
 * @param temperature 0 for greedy decoding, up to {@value #MAX_TEMPERATURE}
 * @param topK sample among this many best tokens; 0 for all
 * @param topP sample among the fewest tokens that together have this probability, in (0, 1]
 * @param seed of the sampler; a request without one gets a seed made from its id
 * @param stop texts that end the completion, at most {@value #MAX_STOPS}; none of them is written.
 *     A {@link Builder} refuses one of more than {@value #MAX_STOP_CHARACTERS} Unicode characters
 * @param assistantEarlyExit draft with this many layers; 0 asks for plain decoding
 * @param numAssistantTokens draft this many tokens a round, at most {@value #MAX_ASSISTANT_TOKENS};
 *     0 for plain decoding
 * @param ignoreEos write on after the end-of-sequence token
 */
public record GenerationParameters(
        OptionalInt maxTokens,
        OptionalDouble temperature,
        OptionalInt topK,
        OptionalDouble topP,
        OptionalLong seed,
        List<String> stop,
        OptionalInt assistantEarlyExit,
        OptionalInt numAssistantTokens,
        boolean ignoreEos) {

    public static final double MAX_TEMPERATURE = 100;
    public static final int MAX_STOPS = 16;
    public static final int MAX_STOP_CHARACTERS = 256;
    public static final int MAX_ASSISTANT_TOKENS = 64;

    /** Asks for nothing: every setting is the engine's default. */
    public static final GenerationParameters DEFAULTS = builder().build();

    /**
     * @throws IllegalArgumentException if a value is out of range; names the field, the value and
     *     what is allowed
     */
    public GenerationParameters {
        maxTokens.ifPresent(v -> check(v >= 1, "max_tokens", v, "at least 1"));
        temperature.ifPresent(
                v ->
                        check(
                                v >= 0 && v <= MAX_TEMPERATURE,
                                "temperature",
                                v,
                                "from 0 to " + MAX_TEMPERATURE));
        topK.ifPresent(v -> check(v >= 0, "top_k", v, "at least 0 (0: all tokens)"));
        topP.ifPresent(v -> check(v > 0 && v <= 1, "top_p", v, "above 0 and at most 1"));
        assistantEarlyExit.ifPresent(v -> check(v >= 0, "assistant_early_exit", v, "at least 0"));
        numAssistantTokens.ifPresent(
                v ->
                        check(
                                v >= 0 && v <= MAX_ASSISTANT_TOKENS,
                                "num_assistant_tokens",
                                v,
                                "from 0 to " + MAX_ASSISTANT_TOKENS));
        stop = List.copyOf(stop);
        check(stop.size() <= MAX_STOPS, "stop", stop.size() + " texts", "at most " + MAX_STOPS);
        check(stop.stream().noneMatch(String::isEmpty), "stop", "an empty text", "non-empty texts");
    }

    /** Starts from {@link #DEFAULTS}. */
    public static Builder builder() {
        return new Builder();
    }

    private static void check(boolean allowed, String field, Object value, String range) {
        if (!allowed) {
            throw new IllegalArgumentException(field + " is " + value + "; allowed: " + range);
        }
    }

    /**
     * Sets what a request asks for, one by one; see {@link GenerationParameters} for the ranges.
     *
     * <pre>{@code
     * GenerationParameters.builder().maxTokens(20).temperature(0.7).stop("\n").build()
     * }</pre>
     */
    public static final class Builder {

        private OptionalInt maxTokens = OptionalInt.empty();
        private OptionalDouble temperature = OptionalDouble.empty();
        private OptionalInt topK = OptionalInt.empty();
        private OptionalDouble topP = OptionalDouble.empty();
        private OptionalLong seed = OptionalLong.empty();
        private List<String> stop = List.of();
        private OptionalInt assistantEarlyExit = OptionalInt.empty();
        private OptionalInt numAssistantTokens = OptionalInt.empty();
        private boolean ignoreEos;

        private Builder() {}

        public Builder maxTokens(int maxTokens) {
            this.maxTokens = OptionalInt.of(maxTokens);
            return this;
        }

        public Builder temperature(double temperature) {
            this.temperature = OptionalDouble.of(temperature);
            return this;
        }

        public Builder topK(int topK) {
            this.topK = OptionalInt.of(topK);
            return this;
        }

        public Builder topP(double topP) {
            this.topP = OptionalDouble.of(topP);
            return this;
        }

        public Builder seed(long seed) {
            this.seed = OptionalLong.of(seed);
            return this;
        }

        public Builder stop(String... stop) {
            this.stop = List.of(stop);
            return this;
        }

        public Builder assistantEarlyExit(int assistantEarlyExit) {
            this.assistantEarlyExit = OptionalInt.of(assistantEarlyExit);
            return this;
        }

        public Builder numAssistantTokens(int numAssistantTokens) {
            this.numAssistantTokens = OptionalInt.of(numAssistantTokens);
            return this;
        }

        public Builder ignoreEos(boolean ignoreEos) {
            this.ignoreEos = ignoreEos;
            return this;
        }

        /**
         * @throws IllegalArgumentException if a value is out of range
         */
        public GenerationParameters build() {
            // Not checked in the record: a savepoint of an earlier version may hold longer ones.
            stop.forEach(Builder::checkStopLength);
            return new GenerationParameters(
                    maxTokens,
                    temperature,
                    topK,
                    topP,
                    seed,
                    stop,
                    assistantEarlyExit,
                    numAssistantTokens,
                    ignoreEos);
        }

        private static void checkStopLength(String text) {
            int characters = text.codePointCount(0, text.length());
            if (characters > MAX_STOP_CHARACTERS) {
                throw new IllegalArgumentException(
                        "stop has a text of %d characters; allowed: at most %d"
                                .formatted(characters, MAX_STOP_CHARACTERS));
            }
        }
    }
}
