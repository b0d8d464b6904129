package io.layerskip.chat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.layerskip.model.BundledModel;
import io.layerskip.model.ChatSettings;
import io.layerskip.model.Checkpoint;
import io.layerskip.model.ModelLocation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Which template of a checkpoint renders a chat, and what it is given. */
class ChatFormatTest {

    private static final Chat HELLO =
            Chat.of(
                    List.of(new ChatMessage("system", "Be brief."), new ChatMessage("user", "Hi")),
                    Instant.parse("2026-11-05T09:07:03Z"));

    @TempDir Path folder;

    @Test
    void rendersWithTheTemplateInTokenizerConfig() throws Exception {
        assertThat(
                        rendered(
                                """
                                {"chat_template": "{% for m in messages %}{{ m.role }}: {{ m.content }}\\n{% endfor %}",
                                 "bos_token": "<s>"}
                                """))
                .isEqualTo("system: Be brief.\nuser: Hi\n");
    }

    @Test
    void takesTheDefaultOneOfSeveralTemplates() throws Exception {
        assertThat(
                        rendered(
                                """
                                {"chat_template": [{"name": "rag", "template": "{{ nonsense( }}"},
                                                   {"name": "default", "template": "default"}]}
                                """))
                .isEqualTo("default");
    }

    @Test
    void takesTheOneForToolUseIfThereAreTools() throws Exception {
        ChatFormat format =
                format(
                        """
                        {"chat_template": [
                            {"name": "tool_use", "template": "{{ tools[0].function.name }}"},
                            {"name": "default", "template": "default"}]}
                        """);
        Chat withTools =
                new Chat(
                        HELLO.messages(),
                        Optional.of("[{\"type\": \"function\", \"function\": {\"name\": \"f\"}}]"),
                        Optional.empty(),
                        0);

        assertThat(format.render(withTools).text()).isEqualTo("f");
        assertThat(format.render(HELLO).text()).isEqualTo("default");
    }

    @Test
    void prefersTheTemplateFile() throws Exception {
        Files.writeString(folder.resolve(ChatSettings.TEMPLATE_FILE), "{{ bos_token }}from a file");

        assertThat(rendered("{\"chat_template\": \"from a field\", \"bos_token\": \"<s>\"}"))
                .isEqualTo("<s>from a file");
    }

    @Test
    void givesTheTemplateTheSpecialTokensThatAreThere() throws Exception {
        assertThat(
                        rendered(
                                """
                                {"chat_template": "{{ bos_token }}{{ eos_token }}{{ pad_token }}{{ additional_special_tokens }}",
                                 "bos_token": {"content": "<s>", "lstrip": false},
                                 "eos_token": "</s>", "pad_token": null,
                                 "additional_special_tokens": ["<a>", "<b>"]}
                                """))
                .isEqualTo("<s></s>['<a>', '<b>']");
    }

    @Test
    void givesTheTemplateNoToolsAndTheWishForAnAnswer() throws Exception {
        assertThat(
                        rendered(
                                """
                                {"chat_template": "{{ tools is none }}{{ documents is none }}{{ add_generation_prompt }}{{ enable_thinking is defined }}"}
                                """))
                .isEqualTo("TrueTrueTrueFalse");
    }

    @Test
    void takesTheTimeOfTheRequestForThePresent() throws Exception {
        assertThat(rendered("{\"chat_template\": \"{{ strftime_now('%d %b %Y %H:%M') }}\"}"))
                .isEqualTo("05 Nov 2026 09:07");
    }

    @Test
    void givesTheTemplateTheRequestsOwnVariables() throws Exception {
        ChatFormat format = format("{\"chat_template\": \"{{ enable_thinking }}{{ level }}\"}");

        assertThat(
                        format.render(withArguments("{\"enable_thinking\": false, \"level\": 3}"))
                                .text())
                .isEqualTo("False3");
        assertThatThrownBy(() -> format.render(withArguments("{\"thinking\": true}")))
                .isInstanceOf(ChatRenderingException.class)
                .hasMessage(
                        "the checkpoint's chat template has no use for thinking; allowed: none");
        assertThatThrownBy(() -> format.render(withArguments("{\"messages\": []}")))
                .hasMessage("chat_template_kwargs has messages, which is not the request's to set");
    }

    @Test
    void refusesToolsThatTheTemplateDoesNotRender() throws Exception {
        ChatFormat format = format("{\"chat_template\": \"{{ messages }}\"}");
        Chat chat = new Chat(HELLO.messages(), Optional.of("[{}]"), Optional.empty(), 0);

        assertThatThrownBy(() -> format.render(chat))
                .hasMessage("the checkpoint's chat template has no use for tools; allowed: none");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '!',
            value = {
                "{}!the checkpoint has no chat template, neither chat_template in"
                        + " tokenizer_config.json nor chat_template.jinja; allowed: a prompt",
                "{\"chat_template\": null}!the checkpoint has no chat template, neither"
                        + " chat_template in tokenizer_config.json nor chat_template.jinja;"
                        + " allowed: a prompt",
                "{\"chat_template\": \"a\\n{{ x|nonsense }}\"}!the chat template 'default' in"
                        + " tokenizer_config.json cannot be interpreted: unknown filter 'nonsense'"
                        + " at line 2, column 6",
                "{\"chat_template\": [{\"name\": \"rag\", \"template\": \"x\"}]}"
                        + "!tokenizer_config.json has the chat templates [rag], expected one named"
                        + " default",
                "{\"chat_template\": 5}!the checkpoint's chat template cannot be read:"
                        + " tokenizer_config.json: chat_template is 5, expected a list of objects",
                "{\"chat_template\": [{\"name\": \"default\"}]}!the checkpoint's chat template"
                        + " cannot be read: tokenizer_config.json: chat_template is"
                        + " [{\"name\":\"default\"}], expected a string, or a list of objects with"
                        + " name and template"
            })
    void refusesEveryChatWithoutAUsableTemplate(String config, String reason) throws Exception {
        Path copy = BundledModel.withChatTemplate(folder, "");
        Files.delete(copy.resolve(ChatSettings.TEMPLATE_FILE));
        Files.writeString(copy.resolve("tokenizer_config.json"), config);

        try (Checkpoint checkpoint = Checkpoint.open(copy)) {
            ChatFormat format = ChatFormat.of(checkpoint);

            assertThat(format.refusal()).contains(reason);
            assertThatThrownBy(() -> format.render(HELLO))
                    .isInstanceOf(ChatRenderingException.class)
                    .hasMessage(reason);
            assertThat(checkpoint.tokenizer().encode("Hi")).isNotEmpty();
        }
    }

    @Test
    void refusesATemplateFileThatIsNotUtf8() throws Exception {
        Path copy = BundledModel.withChatTemplate(folder, "");
        Files.write(copy.resolve(ChatSettings.TEMPLATE_FILE), new byte[] {'a', (byte) 0xff});

        try (Checkpoint checkpoint = Checkpoint.open(copy)) {
            assertThat(ChatFormat.of(checkpoint).refusal())
                    .hasValueSatisfying(
                            reason ->
                                    assertThat(reason)
                                            .startsWith(
                                                    "the checkpoint's chat template cannot be read:"
                                                            + " chat_template.jinja is not UTF-8"));
        }
    }

    @Test
    void refusesMessagesThatNestTooDeep() throws Exception {
        ChatFormat format = format("{\"chat_template\": \"{{ messages }}\"}");
        String deep = "[".repeat(10_000) + "]".repeat(10_000);

        assertThatThrownBy(
                        () -> format.render(new Chat(deep, Optional.empty(), Optional.empty(), 0)))
                .isInstanceOf(ChatRenderingException.class);
    }

    @Test
    void hasAFingerprintThatChangesWithTheTemplate() throws Exception {
        String first = format("{\"chat_template\": \"a\"}").fingerprint();

        assertThat(format("{\"chat_template\": \"a\"}").fingerprint()).isEqualTo(first);
        assertThat(format("{\"chat_template\": \"b\"}").fingerprint()).isNotEqualTo(first);
    }

    private static Chat withArguments(String json) {
        return new Chat(HELLO.messages(), Optional.empty(), Optional.of(json), 0);
    }

    private String rendered(String tokenizerConfig) throws Exception {
        return format(tokenizerConfig).render(HELLO).text();
    }

    private ChatFormat format(String tokenizerConfig) throws IOException {
        Files.writeString(folder.resolve("tokenizer_config.json"), tokenizerConfig);
        return ChatFormat.of(
                ChatSettings.read(
                        new ModelLocation(folder.toString()), getClass().getClassLoader()));
    }
}
