package io.layerskip.engine;

import static org.assertj.core.api.Assertions.assertThat;

import io.layerskip.chat.Chat;
import io.layerskip.chat.ChatMessage;
import io.layerskip.model.BundledModel;
import io.layerskip.model.BundledModel.GoldenCase;
import io.layerskip.model.Checkpoint;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Chats, with the bundled model and a template that makes its prompts of them. */
class ChatGenerationTest {

    private static final String TEMPLATE =
            """
            {{ bos_token }}{% for m in messages %}
            {% if m.role != 'user' %}{{ raise_exception('Only users, not ' + m.role) }}{% endif %}
            {{ m.content }}{% endfor %}
            """;
    private static final GoldenCase GOLDEN = BundledModel.goldenCases().get(0);

    private static Checkpoint checkpoint;
    private static GenerationEngine engine;

    @BeforeAll
    static void open(@TempDir Path folder) throws Exception {
        checkpoint = Checkpoint.open(BundledModel.withChatTemplate(folder, TEMPLATE));
        engine = GenerationEngine.open(checkpoint, EngineSettings.builder(2).build());
    }

    @AfterAll
    static void close() {
        engine.close();
        checkpoint.close();
    }

    @Test
    void answersAChatAsThePromptThatTheTemplateMakesOfIt() {
        GenerationResult result = answer("user", GOLDEN.prompt());

        assertThat(result.failure()).isEmpty();
        assertThat(result.text()).isEqualTo(GOLDEN.completion());
        // One bos, the template's.
        assertThat(result.statistics().promptTokens()).isEqualTo(GOLDEN.promptIds().length);
    }

    @Test
    void completesPlainPromptsOfTheSameCheckpoint() {
        GenerationResult result =
                engine.submit(
                                new GenerationRequest(
                                        "1", GOLDEN.prompt(), GenerationParameters.DEFAULTS))
                        .result()
                        .join();

        assertThat(result.text()).isEqualTo(GOLDEN.completion());
    }

    @Test
    void takesASpecialTokenInAMessageForText() {
        int plain = answer("user", "ab").statistics().promptTokens();

        assertThat(answer("user", "a</s>b").statistics().promptTokens()).isGreaterThan(plain + 1);
    }

    @Test
    void refusesMessagesThatTheTemplateRefuses() {
        assertThat(answer("robot", "Hi").failure())
                .contains(
                        new GenerationFailure(
                                GenerationFailure.Kind.INVALID_REQUEST,
                                "the chat template refuses the messages: Only users, not robot"));
    }

    @Test
    void refusesAChatThatIsTooLong() {
        assertThat(answer("user", "word ".repeat(50_000)).failure())
                .hasValueSatisfying(
                        failure ->
                                assertThat(failure.kind())
                                        .isEqualTo(GenerationFailure.Kind.PROMPT_TOO_LONG));
    }

    @Test
    void refusesAChatWithoutATemplate() throws Exception {
        try (Checkpoint plain = Checkpoint.open(BundledModel.folder());
                GenerationEngine other =
                        GenerationEngine.open(plain, EngineSettings.builder(2).build())) {
            GenerationResult result = other.submit(request("user", "Hi")).result().join();

            assertThat(result.failure())
                    .hasValueSatisfying(
                            failure -> {
                                assertThat(failure.kind())
                                        .isEqualTo(GenerationFailure.Kind.INVALID_REQUEST);
                                assertThat(failure.message())
                                        .startsWith("the checkpoint has no chat template");
                            });
        }
    }

    private static GenerationResult answer(String role, String content) {
        return engine.submit(request(role, content)).result().join();
    }

    private static GenerationRequest request(String role, String content) {
        Chat chat = Chat.of(List.of(new ChatMessage(role, content)), Instant.EPOCH);
        return GenerationRequest.ofChat("1", chat, GenerationParameters.DEFAULTS, new byte[0]);
    }
}
