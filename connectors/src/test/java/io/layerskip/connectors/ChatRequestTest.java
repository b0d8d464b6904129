package io.layerskip.connectors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.layerskip.chat.Chat;
import io.layerskip.connectors.InvalidRequestException.ErrorClass;
import io.layerskip.engine.GenerationRequest;
import io.layerskip.flink.CborCodec;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Requests with messages. */
class ChatRequestTest {

    private static final String USER = "{\"role\": \"user\", \"content\": \"Hi\"}";

    private final CompletionRequestFormat format = new CompletionRequestFormat();

    @Test
    void messagesStandInPlaceOfAPrompt() throws InvalidRequestException {
        GenerationRequest request =
                parse(
                        "{\"messages\": [{\"role\": \"system\", \"content\": \"Be brief.\"}, %s]}"
                                .formatted(USER));

        assertThat(request.prompt()).isEmpty();
        assertThat(request.chat().orElseThrow().messages())
                .isEqualTo(
                        "[{\"role\":\"system\",\"content\":\"Be brief.\"},"
                                + "{\"role\":\"user\",\"content\":\"Hi\"}]");
    }

    @Test
    void aRequestWithMessagesTravelsAsCbor() throws Exception {
        GenerationRequest request =
                parse("{\"messages\": [%s], \"tools\": [%s]}".formatted(USER, tool("f")));
        CborCodec<GenerationRequest> codec = CborCodec.of(GenerationRequest.class);

        assertThat(codec.decode(codec.encode(request)))
                .usingRecursiveComparison()
                .isEqualTo(request);
    }

    @Test
    void partsOfATextArePutTogether() throws InvalidRequestException {
        assertThat(
                        messages(
                                """
                                {"role": "user", "content": [{"type": "text", "text": "one"},
                                                             {"type": "text", "text": "two"}]}
                                """))
                .isEqualTo("[{\"role\":\"user\",\"content\":\"one\\ntwo\"}]");
    }

    @Test
    void argumentsOfToolCallsBecomeObjects() throws InvalidRequestException {
        assertThat(
                        messages(
                                """
                                {"role": "assistant", "content": null, "tool_calls": [
                                    {"id": "1", "type": "function", "function":
                                        {"name": "f", "arguments": "{\\"x\\": 0.10, \\"y\\": [1]}"}},
                                    {"id": "2", "type": "function", "function":
                                        {"name": "g", "arguments": {"z": 2}}}]}
                                """))
                .isEqualTo(
                        "[{\"role\":\"assistant\",\"content\":null,\"tool_calls\":["
                                + "{\"id\":\"1\",\"type\":\"function\",\"function\":{\"name\":\"f\","
                                + "\"arguments\":{\"x\":0.10,\"y\":[1]}}},"
                                + "{\"id\":\"2\",\"type\":\"function\",\"function\":{\"name\":\"g\","
                                + "\"arguments\":{\"z\":2}}}]}]");
    }

    @Test
    void fieldsThatOnlyATemplateMayKnowStay() throws InvalidRequestException {
        assertThat(
                        messages(
                                """
                                {"role": "tool", "name": "f", "tool_call_id": "1", "content": "",
                                 "reasoning_content": "hm", "refusal": null}
                                """))
                .isEqualTo(
                        "[{\"role\":\"tool\",\"name\":\"f\",\"tool_call_id\":\"1\",\"content\":\"\","
                                + "\"reasoning_content\":\"hm\"}]");
    }

    @Test
    void toolsAndVariablesOfTheTemplateAreRead() throws InvalidRequestException {
        Chat chat =
                parse(
                                """
                                {"messages": [%s], "tools": [%s],
                                 "chat_template_kwargs": {"enable_thinking": false}}
                                """
                                        .formatted(USER, tool("f")))
                        .chat()
                        .orElseThrow();

        assertThat(chat.tools())
                .contains("[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]");
        assertThat(chat.templateArguments()).contains("{\"enable_thinking\":false}");
    }

    @Test
    void noToolsAreNone() throws InvalidRequestException {
        assertThat(parse("{\"messages\": [%s], \"tools\": []}".formatted(USER)).chat())
                .hasValueSatisfying(chat -> assertThat(chat.tools()).isEmpty());
    }

    @Test
    void theTimeOfTheRecordIsTheChats() throws InvalidRequestException {
        byte[] value = utf8("{\"messages\": [%s]}".formatted(USER));
        SourceRecord record =
                new SourceRecord(
                        "prompts",
                        3,
                        42,
                        1_795_392_000_999L,
                        Optional.empty(),
                        Optional.of(value),
                        List.of());

        assertThat(format.parse(record).chat().orElseThrow().createdMillis())
                .isEqualTo(1_795_392_000_999L);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "\"max_completion_tokens\": 5",
                "\"max_tokens\": 5",
                "\"max_tokens\": 5, \"max_completion_tokens\": 5"
            })
    void bothSpellingsOfTheLimitAreRead(String field) throws InvalidRequestException {
        assertThat(
                        parse("{\"messages\": [%s], %s}".formatted(USER, field))
                                .parameters()
                                .maxTokens())
                .hasValue(5);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "[]               | messages is an empty array; allowed: at least one message",
                "\"Hi\"           | messages is the string \"Hi\"; allowed: an array",
                "[\"Hi\"]         | messages[0] is the string \"Hi\"; allowed: an object",
                "[{\"content\": \"Hi\"}] | messages[0].role is empty; allowed: a string, not empty",
                "[{\"role\": \"\", \"content\": \"Hi\"}] | messages[0].role is an empty string;"
                        + " allowed: a string, not empty",
                "[{\"role\": 1, \"content\": \"Hi\"}] | messages[0].role is 1; allowed: a string,"
                        + " not empty",
                "[{\"role\": \"user\"}] | messages[0].content is empty; allowed: a string, or an"
                        + " array of parts {\"type\": \"text\", \"text\": \"...\"}",
                "[{\"role\": \"user\", \"content\": null}] | messages[0].content is null; allowed:"
                        + " a string, or an array of parts {\"type\": \"text\", \"text\": \"...\"}",
                "[{\"role\": \"user\", \"content\": []}] | messages[0].content is an array;"
                        + " allowed: a string, or an array of parts {\"type\": \"text\", \"text\":"
                        + " \"...\"}",
                "[{\"role\": \"user\", \"content\": [{\"type\": \"image_url\"}]}] |"
                        + " messages[0].content[0].type is the string \"image_url\"; allowed:"
                        + " \"text\"",
                "[{\"role\": \"user\", \"content\": [{\"type\": \"text\", \"text\": 5}]}] |"
                        + " messages[0].content[0].text is 5; allowed: a string",
                "[{\"role\": \"user\", \"content\": \"\\ud800\"}] | messages has half a surrogate"
                        + " pair; allowed: whole Unicode characters",
                "[{\"role\": \"assistant\", \"tool_calls\": []}] | messages[0].tool_calls is an"
                        + " array; allowed: an array, not empty",
                "[{\"role\": \"assistant\", \"tool_calls\": [{\"function\": {\"name\": \"f\","
                        + " \"arguments\": \"[1]\"}}]}] |"
                        + " messages[0].tool_calls[0].function.arguments is an array; allowed: a"
                        + " JSON object, in a string or not",
                "[{\"role\": \"assistant\", \"tool_calls\": [{\"function\": {\"name\": \"f\","
                        + " \"arguments\": \"{\"}}]}] |"
                        + " messages[0].tool_calls[0].function.arguments is the string \"{\";"
                        + " allowed: a JSON object, in a string or not",
                "[{\"role\": \"assistant\", \"content\": \"\", \"function_call\": {}}] |"
                        + " messages[0].function_call is an object; allowed: no such field",
            })
    void messagesThatAreNoneAreRefused(String messages, String message) {
        assertThat(refused("{\"messages\": " + messages + "}")).hasMessage(message);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "\"prompt\": \"Hi\"       | prompt and messages are both there; allowed: one of"
                        + " them",
                "\"tools\": {}            | tools is an object; allowed: an array",
                "\"tools\": [{}]          | tools[0].type is empty; allowed: \"function\"",
                "\"tools\": [{\"type\": \"function\"}] | tools[0].function is empty; allowed: an"
                        + " object",
                "\"chat_template_kwargs\": 1 | chat_template_kwargs is 1; allowed: an object",
                "\"tool_choice\": \"required\" | tool_choice is the string \"required\"; allowed:"
                        + " \"auto\" or no such field, as it is not served",
                "\"functions\": [{}]      | functions is an array; allowed: [] or no such field, as"
                        + " it is not served",
                "\"chat_template\": \"x\" | chat_template is the string \"x\"; allowed: null or no"
                        + " such field, as it is not served",
                "\"add_generation_prompt\": false | add_generation_prompt is false; allowed: true"
                        + " or no such field, as it is not served",
                "\"max_tokens\": 5, \"max_completion_tokens\": 6 | max_tokens is 5 and"
                        + " max_completion_tokens is 6; allowed: one of them",
            })
    void whatAChatCannotHaveIsNamed(String field, String message) {
        assertThat(refused("{\"messages\": [%s], %s}".formatted(USER, field))).hasMessage(message);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"tools\": []               | tools is an array; allowed: no such field without messages",
                "\"chat_template_kwargs\": {} | chat_template_kwargs is an object; allowed: no such field without messages",
            })
    void whatBelongsToMessagesIsRefusedWithAPrompt(String field, String message) {
        assertThat(refused("{\"prompt\": \"Hi\", " + field + "}")).hasMessage(message);
    }

    @Test
    void logprobsAreAskedForWithAFlagAndANumber() throws InvalidRequestException {
        assertThat(logprobs("\"logprobs\": true, \"top_logprobs\": 3")).hasValue(3);
        assertThat(logprobs("\"logprobs\": true")).hasValue(0);
        assertThat(logprobs("\"logprobs\": false")).isEmpty();
        assertThat(refused(asking("\"top_logprobs\": 3")))
                .hasMessageContaining("top_logprobs is 3");
        assertThat(refused(asking("\"logprobs\": 3"))).hasMessageContaining("logprobs is 3");
        assertThat(refused(asking("\"logprobs\": true, \"top_logprobs\": 21")))
                .hasMessageContaining("21");
    }

    @Test
    void aChatHasNoEcho() {
        assertThat(refused(asking("\"echo\": true"))).hasMessageContaining("echo is true");
    }

    private OptionalInt logprobs(String fields) throws InvalidRequestException {
        return parse(asking(fields)).parameters().logprobs();
    }

    private static String asking(String fields) {
        return "{\"messages\": [%s], %s}".formatted(USER, fields);
    }

    private static String tool(String name) {
        return "{\"type\": \"function\", \"function\": {\"name\": \"%s\"}}".formatted(name);
    }

    private String messages(String message) throws InvalidRequestException {
        return parse("{\"messages\": [" + message + "]}").chat().orElseThrow().messages();
    }

    private GenerationRequest parse(String json) throws InvalidRequestException {
        return format.parse(utf8(json), "line-1");
    }

    private InvalidRequestException refused(String json) {
        InvalidRequestException e =
                catchThrowableOfType(
                        InvalidRequestException.class, () -> format.parse(utf8(json), "line-1"));
        assertThat(e).as("the value was let in").isNotNull();
        assertThat(e.errorClass()).isEqualTo(ErrorClass.INVALID_REQUEST);
        return e;
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
