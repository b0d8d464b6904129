package io.layerskip.engine;

import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.TreeMap;
import org.apache.flink.annotation.PublicEvolving;

/**
 * What one request asks of its generation; an empty field means the engine's default.
 *
 * <p>The names are those of OpenAI's completions API and, for what that lacks, of Hugging Face's
 * {@code generate} and vLLM. A value that no model could honour is refused here; what depends on
 * the model (context length, vocabulary, open exit layers) is checked by the engine.
 *
 * <p>Logits are changed in vLLM's order: {@code min_tokens}, {@code logit_bias}, then the
 * repetition, frequency and presence penalties. After them come {@code temperature}, {@code top_k},
 * {@code min_p} and {@code top_p}, where it is not greedy.
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
 * @param presencePenalty taken from the logit of every token that the completion has, in {@link
 *     #PRESENCE_PENALTY}; 0 for none
 * @param frequencyPenalty taken from a token's logit as often as the completion has the token, in
 *     {@link #FREQUENCY_PENALTY}; 0 for none
 * @param repetitionPenalty divides the positive logits of tokens that prompt or completion have,
 *     and multiplies their negative ones, in {@link #REPETITION_PENALTY}; 1 for none
 * @param minP sample among the tokens that are at least this likely, as a part of the likeliest
 *     one's probability, in {@link #MIN_P}; 0 for all
 * @param logitBias what is added to the logits of tokens, by token id: at most {@value
 *     #MAX_LOGIT_BIAS} of them, each in {@link #LOGIT_BIAS}
 * @param minTokens so many tokens are written before the completion may end: no end-of-sequence
 *     token is chosen, and no stop text looked for, before; in {@link #MIN_TOKENS}
 * @param logprobs report each token's log probability, and so many of the likeliest tokens' in its
 *     place, in {@link #LOGPROBS}; empty for none
 * @param n how many completions to write, in {@link #N}; each has a seed of its own, see {@link
 *     #seedOf}
 * @param echo begin the text with the prompt
 * @param returnConfidence report how sure the model was of the tokens, see {@link Confidence}
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
        boolean ignoreEos,
        OptionalDouble presencePenalty,
        OptionalDouble frequencyPenalty,
        OptionalDouble repetitionPenalty,
        OptionalDouble minP,
        Map<Integer, Double> logitBias,
        OptionalInt minTokens,
        OptionalInt logprobs,
        OptionalInt n,
        boolean echo,
        boolean returnConfidence) {

    public static final int MAX_STOPS = 16;
    public static final int MAX_STOP_CHARACTERS = 256;
    public static final int MAX_ASSISTANT_TOKENS = 64;
    public static final int MAX_LOGIT_BIAS = 1024;

    public static final Range MAX_TOKENS = Range.atLeast(1);
    public static final Range TEMPERATURE = Range.between(0, 100);
    public static final Range TOP_K = new Range(0, Integer.MAX_VALUE, "at least 0 (0: all tokens)");
    public static final Range TOP_P = new Range(Double.MIN_VALUE, 1, "above 0 and at most 1");
    public static final Range NUM_ASSISTANT_TOKENS = Range.between(0, MAX_ASSISTANT_TOKENS);
    public static final Range PRESENCE_PENALTY = Range.between(-2, 2);
    public static final Range FREQUENCY_PENALTY = Range.between(-2, 2);
    public static final Range REPETITION_PENALTY =
            new Range(Double.MIN_VALUE, Double.MAX_VALUE, "above 0");
    public static final Range MIN_P = Range.between(0, 1);
    public static final Range LOGIT_BIAS = Range.between(-100, 100);
    public static final Range MIN_TOKENS = Range.atLeast(0);
    public static final Range LOGPROBS = Range.between(0, 20);
    public static final Range N = Range.between(1, 32);

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
        presencePenalty.ifPresent(v -> PRESENCE_PENALTY.check("presence_penalty", v));
        frequencyPenalty.ifPresent(v -> FREQUENCY_PENALTY.check("frequency_penalty", v));
        repetitionPenalty.ifPresent(v -> REPETITION_PENALTY.check("repetition_penalty", v));
        minP.ifPresent(v -> MIN_P.check("min_p", v));
        // In order, so that the same biases are always spelled alike.
        logitBias = Collections.unmodifiableMap(new TreeMap<>(logitBias));
        if (logitBias.size() > MAX_LOGIT_BIAS) {
            throw new IllegalArgumentException(
                    "logit_bias has %d tokens; allowed: at most %d"
                            .formatted(logitBias.size(), MAX_LOGIT_BIAS));
        }
        logitBias.forEach((token, v) -> LOGIT_BIAS.check("logit_bias of token " + token, v));
        minTokens.ifPresent(v -> MIN_TOKENS.check("min_tokens", v));
        logprobs.ifPresent(v -> LOGPROBS.check("logprobs", v));
        n.ifPresent(v -> N.check("n", v));
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
                ignoreEos || others.ignoreEos,
                presencePenalty.isPresent() ? presencePenalty : others.presencePenalty,
                frequencyPenalty.isPresent() ? frequencyPenalty : others.frequencyPenalty,
                repetitionPenalty.isPresent() ? repetitionPenalty : others.repetitionPenalty,
                minP.isPresent() ? minP : others.minP,
                logitBias.isEmpty() ? others.logitBias : logitBias,
                minTokens.isPresent() ? minTokens : others.minTokens,
                logprobs.isPresent() ? logprobs : others.logprobs,
                n.isPresent() ? n : others.n,
                echo || others.echo,
                returnConfidence || others.returnConfidence);
    }

    /**
     * The seed of one of {@link #n} completions: a request with that seed for one completion gets
     * the same text. The first has the request's own.
     *
     * @param seed the request's
     * @param index of the completion, from 0
     */
    public static long seedOf(long seed, int index) {
        return seed + index;
    }

    /**
     * Savepoints know a request by this among others. So what a request may ask for since a later
     * version is named only where it is asked for.
     */
    @Override
    public String toString() {
        StringBuilder text =
                new StringBuilder("GenerationParameters[maxTokens=")
                        .append(maxTokens)
                        .append(", temperature=")
                        .append(temperature)
                        .append(", topK=")
                        .append(topK)
                        .append(", topP=")
                        .append(topP)
                        .append(", seed=")
                        .append(seed)
                        .append(", stop=")
                        .append(stop)
                        .append(", assistantEarlyExit=")
                        .append(assistantEarlyExit)
                        .append(", numAssistantTokens=")
                        .append(numAssistantTokens)
                        .append(", ignoreEos=")
                        .append(ignoreEos);
        presencePenalty.ifPresent(v -> text.append(", presencePenalty=").append(v));
        frequencyPenalty.ifPresent(v -> text.append(", frequencyPenalty=").append(v));
        repetitionPenalty.ifPresent(v -> text.append(", repetitionPenalty=").append(v));
        minP.ifPresent(v -> text.append(", minP=").append(v));
        if (!logitBias.isEmpty()) {
            text.append(", logitBias=").append(logitBias);
        }
        minTokens.ifPresent(v -> text.append(", minTokens=").append(v));
        logprobs.ifPresent(v -> text.append(", logprobs=").append(v));
        n.ifPresent(v -> text.append(", n=").append(v));
        if (echo) {
            text.append(", echo=true");
        }
        if (returnConfidence) {
            text.append(", returnConfidence=true");
        }
        return text.append(']').toString();
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
        private OptionalDouble presencePenalty = OptionalDouble.empty();
        private OptionalDouble frequencyPenalty = OptionalDouble.empty();
        private OptionalDouble repetitionPenalty = OptionalDouble.empty();
        private OptionalDouble minP = OptionalDouble.empty();
        private Map<Integer, Double> logitBias = Map.of();
        private OptionalInt minTokens = OptionalInt.empty();
        private OptionalInt logprobs = OptionalInt.empty();
        private OptionalInt n = OptionalInt.empty();
        private boolean echo;
        private boolean returnConfidence;

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

        public Builder presencePenalty(double presencePenalty) {
            this.presencePenalty = OptionalDouble.of(presencePenalty);
            return this;
        }

        public Builder frequencyPenalty(double frequencyPenalty) {
            this.frequencyPenalty = OptionalDouble.of(frequencyPenalty);
            return this;
        }

        public Builder repetitionPenalty(double repetitionPenalty) {
            this.repetitionPenalty = OptionalDouble.of(repetitionPenalty);
            return this;
        }

        public Builder minP(double minP) {
            this.minP = OptionalDouble.of(minP);
            return this;
        }

        public Builder logitBias(Map<Integer, Double> logitBias) {
            this.logitBias = logitBias;
            return this;
        }

        public Builder minTokens(int minTokens) {
            this.minTokens = OptionalInt.of(minTokens);
            return this;
        }

        public Builder logprobs(int logprobs) {
            this.logprobs = OptionalInt.of(logprobs);
            return this;
        }

        public Builder n(int n) {
            this.n = OptionalInt.of(n);
            return this;
        }

        public Builder echo(boolean echo) {
            this.echo = echo;
            return this;
        }

        public Builder returnConfidence(boolean returnConfidence) {
            this.returnConfidence = returnConfidence;
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
                    ignoreEos,
                    presencePenalty,
                    frequencyPenalty,
                    repetitionPenalty,
                    minP,
                    logitBias,
                    minTokens,
                    logprobs,
                    n,
                    echo,
                    returnConfidence);
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
