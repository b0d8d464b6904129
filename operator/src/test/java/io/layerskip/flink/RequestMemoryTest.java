package io.layerskip.flink;

import static org.assertj.core.api.Assertions.assertThat;

import io.layerskip.chat.Chat;
import io.layerskip.engine.GenerationParameters;
import io.layerskip.engine.GenerationRequest;
import java.util.Optional;
import org.junit.jupiter.api.Test;

final class RequestMemoryTest {

    private static final int CONTEXT = 1000;
    private static final int MB = 1_000_000;

    private final RequestMemory memory = new RequestMemory(CONTEXT, 100);
    private final long smallest = of("", GenerationParameters.DEFAULTS, 0);

    @Test
    void countsTheRecordAndThePrompt() {
        assertThat(of("x".repeat(MB), GenerationParameters.DEFAULTS, MB) - smallest)
                .isEqualTo(2 * MB + 4 * CONTEXT);
    }

    @Test
    void countsTwoBytesForEachCharacterWhereOneIsNotLatin1() {
        assertThat(of("ä".repeat(MB), GenerationParameters.DEFAULTS, 0) - smallest)
                .isEqualTo(MB + 4 * CONTEXT);
        assertThat(of("x".repeat(MB - 1) + "本", GenerationParameters.DEFAULTS, 0) - smallest)
                .isEqualTo(2 * MB + 4 * CONTEXT);
    }

    @Test
    void countsAllOfAChat() {
        GenerationRequest chat =
                GenerationRequest.ofChat(
                        "1",
                        new Chat(
                                "x".repeat(MB),
                                Optional.of("y".repeat(MB)),
                                Optional.of("z".repeat(MB)),
                                0),
                        GenerationParameters.DEFAULTS,
                        new byte[0]);

        assertThat(memory.of(chat) - smallest).isEqualTo(3 * MB + 4 * CONTEXT);
    }

    @Test
    void countsTheTokensThatMayBeWrittenAndNoMoreThanTheContextHolds() {
        assertThat(of("", tokens(100), 0)).isEqualTo(smallest);
        assertThat(of("", tokens(500), 0)).isGreaterThanOrEqualTo(smallest + 400 * 24);
        assertThat(of("", tokens(Integer.MAX_VALUE), 0)).isEqualTo(of("", tokens(CONTEXT), 0));
    }

    @Test
    void countsEveryCompletionWithItsLogProbabilitiesAndItsEcho() {
        GenerationParameters five =
                GenerationParameters.builder().maxTokens(1000).n(5).logprobs(5).build();

        assertThat(of("", five, 0)).isGreaterThanOrEqualTo(5 * 1000 * 6 * 50);
        assertThat(of("x".repeat(MB), GenerationParameters.builder().echo(true).build(), 0))
                .isEqualTo(smallest + 2 * MB + 4 * CONTEXT);
    }

    private static GenerationParameters tokens(int most) {
        return GenerationParameters.builder().maxTokens(most).build();
    }

    private long of(String prompt, GenerationParameters parameters, int attachment) {
        return memory.of(new GenerationRequest("1", prompt, parameters, new byte[attachment]));
    }
}
