package io.layerskip.engine;

import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.apache.flink.annotation.PublicEvolving;

/**
 * What one request asks of its generation; an empty field means the engine's default.
 *
 * <p>The names are those of OpenAI's completions API and, for what that lacks, of Hugging Face's
 * {@code generate}. A value that no model could honour is refused here; what depends on the model
 * (context length, open exit layers) is checked by the engine.
 *
 * @param maxTokens most tokens to write, in {@link #MAX_TOKENS}
 * @param temperature 0 for greedy decoding, in {@link #TEMPERATURE}
 * @param topK sample among this many best tokens, in {@link #TOP_K}; 0 for all
 * @param topP sample among the fewest tokens that together have this probability, in {@link #TOP_P}
 * @param seed of the sampler; a request without one gets a seed made from its id
 * @param stop texts that end the completion, at most {@value #MAX_STOPS}; none of them is written.
 *     A {@link Builder} refuses one of more than {@value #MAX_STOP_CHARACTERS} Unicode characters
 * @param assistantEarlyExit draft with this many layers; 0 asks for plain decoding
 * @param numAssistantTokens draft this many tokens a round, at most {@value #MAX_ASSISTANT_TOKENS};
 *     0 for plain decoding
 * @param ignoreEos write on after the end-of-sequence token
 */
@PublicEvolving
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

    public static final int MAX_STOPS = 16;
    public static final int MAX_STOP_CHARACTERS = 256;
    public static final int MAX_ASSISTANT_TOKENS = 64;

    public static final Range MAX_TOKENS = Range.atLeast(1);
    public static final Range TEMPERATURE = Range.between(0, 100);
    public static final Range TOP_K = new Range(0, Integer.MAX_VALUE, "at least 0 (0: all tokens)");
    public static final Range TOP_P = new Range(Double.MIN_VALUE, 1, "above 0 and at most 1");
    public static final Range NUM_ASSISTANT_TOKENS = Range.between(0, MAX_ASSISTANT_TOKENS);

    /** Asks for nothing: every setting is the engine's default. */
    public static final GenerationParameters DEFAULTS = builder().build();

    /**
     * @throws IllegalArgumentException if a value is out of range; names the field, the value and
     *     what is allowed
     */
    public GenerationParameters {
        maxTokens.ifPresent(v -> MAX_TOKENS.check("max_tokens", v));
        temperature.ifPresent(v -> TEMPERATURE.check("temperature", v));
        topK.ifPresent(v -> TOP_K.check("top_k", v));
        topP.ifPresent(v -> TOP_P.check("top_p", v));
        assistantEarlyExit.ifPresent(v -> Range.atLeast(0).check("assistant_early_exit", v));
        numAssistantTokens.ifPresent(v -> NUM_ASSISTANT_TOKENS.check("num_assistant_tokens", v));
        stop = List.copyOf(stop);
        if (stop.size() > MAX_STOPS) {
            throw new IllegalArgumentException(
                    "stop is %d texts; allowed: at most %d".formatted(stop.size(), MAX_STOPS));
        }
        if (stop.contains("")) {
            throw new IllegalArgumentException("stop is an empty text; allowed: non-empty texts");
        }
    }

    /** Starts from {@link #DEFAULTS}. */
    public static Builder builder() {
        return new Builder();
    }

    /** These, and for what they leave open, the others. */
    public GenerationParameters orElse(GenerationParameters others) {
        return new GenerationParameters(
                maxTokens.isPresent() ? maxTokens : others.maxTokens,
                temperature.isPresent() ? temperature : others.temperature,
                topK.isPresent() ? topK : others.topK,
                topP.isPresent() ? topP : others.topP,
                seed.isPresent() ? seed : others.seed,
                stop.isEmpty() ? others.stop : stop,
                assistantEarlyExit.isPresent() ? assistantEarlyExit : others.assistantEarlyExit,
                numAssistantTokens.isPresent() ? numAssistantTokens : others.numAssistantTokens,
                ignoreEos || others.ignoreEos);
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
