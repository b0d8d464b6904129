package io.layerskip.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.layerskip.engine.GenerationParameters.Builder;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

final class GenerationParametersTest {

    private static final GenerationParameters EVERYTHING =
            new GenerationParameters(
                    OptionalInt.of(9),
                    OptionalDouble.of(0.5),
                    OptionalInt.of(40),
                    OptionalDouble.of(0.9),
                    OptionalLong.of(7),
                    List.of("x"),
                    OptionalInt.of(2),
                    OptionalInt.of(3),
                    true,
                    OptionalDouble.of(0.1),
                    OptionalDouble.of(-0.2),
                    OptionalDouble.of(1.3),
                    OptionalDouble.of(0.04),
                    Map.of(7, 5.0, 50, -100.0),
                    OptionalInt.of(6),
                    OptionalInt.of(8),
                    OptionalInt.of(3),
                    true,
                    true);

    @Test
    void keepsWhatItAsksFor() {
        GenerationParameters others =
                GenerationParameters.builder()
                        .maxTokens(1)
                        .temperature(1)
                        .topK(1)
                        .topP(1)
                        .seed(1)
                        .stop("y")
                        .assistantEarlyExit(1)
                        .numAssistantTokens(1)
                        .presencePenalty(1)
                        .frequencyPenalty(1)
                        .repetitionPenalty(1)
                        .minP(1)
                        .logitBias(Map.of(1, 1.0))
                        .minTokens(1)
                        .logprobs(1)
                        .n(1)
                        .build();

        assertThat(EVERYTHING.orElse(others)).isEqualTo(EVERYTHING);
    }

    @Test
    void takesWhatItLeavesOpenFromOthers() {
        assertThat(GenerationParameters.DEFAULTS.orElse(EVERYTHING)).isEqualTo(EVERYTHING);
    }

    @ParameterizedTest
    @ValueSource(doubles = {Double.MIN_VALUE, 0.5, 1})
    void takesAProbabilityForTopP(double topP) {
        assertThatCode(() -> GenerationParameters.builder().topP(topP).build())
                .doesNotThrowAnyException();
    }

    @ParameterizedTest
    @ValueSource(doubles = {-0.1, 0, 1.1, Double.NaN, Double.POSITIVE_INFINITY})
    void refusesWhatIsNoProbabilityForTopP(double topP) {
        assertThatThrownBy(() -> GenerationParameters.builder().topP(topP).build())
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("top_p is %s; allowed: above 0 and at most 1", topP);
    }

    @ParameterizedTest
    @MethodSource
    void refusesWhatIsOutOfRange(UnaryOperator<Builder> set, String message) {
        assertThatThrownBy(() -> set.apply(GenerationParameters.builder()).build())
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(message);
    }

    private static Stream<Arguments> refusesWhatIsOutOfRange() {
        return Stream.of(
                refusal(
                        b -> b.presencePenalty(2.1),
                        "presence_penalty is 2.1; allowed: from -2 to 2"),
                refusal(
                        b -> b.frequencyPenalty(Double.NaN),
                        "frequency_penalty is NaN; allowed: from -2 to 2"),
                refusal(b -> b.repetitionPenalty(0), "repetition_penalty is 0.0; allowed: above 0"),
                refusal(
                        b -> b.repetitionPenalty(Double.POSITIVE_INFINITY),
                        "repetition_penalty is Infinity; allowed: above 0"),
                refusal(b -> b.minP(-0.1), "min_p is -0.1; allowed: from 0 to 1"),
                refusal(b -> b.minP(1.1), "min_p is 1.1; allowed: from 0 to 1"),
                refusal(
                        b -> b.logitBias(Map.of(7, 100.5)),
                        "logit_bias of token 7 is 100.5; allowed: from -100 to 100"),
                refusal(
                        b -> b.logitBias(biases(1025)),
                        "logit_bias has 1025 tokens; allowed: at most 1024"),
                refusal(b -> b.minTokens(-1), "min_tokens is -1; allowed: at least 0"),
                refusal(b -> b.logprobs(21), "logprobs is 21; allowed: from 0 to 20"),
                refusal(b -> b.logprobs(-1), "logprobs is -1; allowed: from 0 to 20"),
                refusal(b -> b.n(0), "n is 0; allowed: from 1 to 32"),
                refusal(b -> b.n(33), "n is 33; allowed: from 1 to 32"));
    }

    private static Arguments refusal(UnaryOperator<Builder> set, String message) {
        return Arguments.of(set, message);
    }

    private static Map<Integer, Double> biases(int count) {
        return IntStream.range(0, count).boxed().collect(Collectors.toMap(t -> t, t -> 1.0));
    }

    @ParameterizedTest
    @MethodSource
    void takesTheEndsOfEachRange(UnaryOperator<Builder> set) {
        assertThatCode(() -> set.apply(GenerationParameters.builder()).build())
                .doesNotThrowAnyException();
    }

    private static Stream<UnaryOperator<Builder>> takesTheEndsOfEachRange() {
        return Stream.of(
                b -> b.presencePenalty(-2).frequencyPenalty(2).repetitionPenalty(Double.MIN_VALUE),
                b -> b.presencePenalty(2).frequencyPenalty(-2).repetitionPenalty(1e9),
                b -> b.minP(0).minTokens(0).logprobs(0).n(1).logitBias(Map.of(0, -100.0)),
                b -> b.minP(1).logprobs(20).n(32).logitBias(biases(1024)));
    }

    @Test
    void spellsTheSameBiasesAlike() {
        Map<Integer, Double> oneWay = new LinkedHashMap<>();
        Map<Integer, Double> otherWay = new LinkedHashMap<>();
        for (int i = 0; i < 100; i++) {
            oneWay.put(i, i * 0.5);
            otherWay.put(99 - i, (99 - i) * 0.5);
        }

        assertThat(GenerationParameters.builder().logitBias(oneWay).build())
                .hasToString(GenerationParameters.builder().logitBias(otherWay).build().toString());
    }

    @Test
    void namesEverythingThatIsAskedFor() {
        assertThat(EVERYTHING)
                .hasToString(
                        "GenerationParameters[maxTokens=OptionalInt[9],"
                                + " temperature=OptionalDouble[0.5], topK=OptionalInt[40],"
                                + " topP=OptionalDouble[0.9], seed=OptionalLong[7], stop=[x],"
                                + " assistantEarlyExit=OptionalInt[2],"
                                + " numAssistantTokens=OptionalInt[3], ignoreEos=true,"
                                + " presencePenalty=0.1, frequencyPenalty=-0.2,"
                                + " repetitionPenalty=1.3, minP=0.04,"
                                + " logitBias={7=5.0, 50=-100.0}, minTokens=6, logprobs=8, n=3,"
                                + " echo=true, returnConfidence=true]");
    }

    @Test
    void refusesMoreStopTextsThanAreLookedFor() {
        String[] stop = "a b c d e f g h i j k l m n o p q".split(" ");

        assertThatThrownBy(() -> GenerationParameters.builder().stop(stop).build())
                .hasMessage("stop is 17 texts; allowed: at most 16");
    }

    @Test
    void letsInStopTextsUpToTheirGreatestLength() {
        String longest = "🚀".repeat(GenerationParameters.MAX_STOP_CHARACTERS);

        assertThat(GenerationParameters.builder().stop("x", longest).build().stop())
                .containsExactly("x", longest);
    }

    @Test
    void refusesALongerStopText() {
        String tooLong = "x".repeat(GenerationParameters.MAX_STOP_CHARACTERS + 1);

        assertThatThrownBy(() -> GenerationParameters.builder().stop("x", tooLong).build())
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("stop has a text of 257 characters; allowed: at most 256");
    }
}
