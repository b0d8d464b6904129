package io.layerskip.connectors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.layerskip.connectors.InvalidRequestException.ErrorClass;
import io.layerskip.engine.GenerationParameters;
import io.layerskip.engine.GenerationRequest;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class CompletionRequestFormatTest {

    private final CompletionRequestFormat format = new CompletionRequestFormat();

    @Test
    void everyFieldIsRead() throws InvalidRequestException {
        GenerationRequest request =
                parse(
                        """
                        {"id": "a", "prompt": "Hi\\n", "max_tokens": 20, "temperature": 0.5,
                         "top_p": 0.9, "seed": -9223372036854775808, "stop": ["x", "y"],
                         "top_k": 40, "assistant_early_exit": 2, "num_assistant_tokens": 0,
                         "ignore_eos": true, "presence_penalty": 0.5, "frequency_penalty": -0.25,
                         "repetition_penalty": 1.1, "min_p": 0.05, "min_tokens": 3,
                         "logit_bias": {"50": -100, "0": 0.5}, "logprobs": 5, "n": 2,
                         "best_of": 2, "echo": true, "return_confidence": true}
                        """);

        assertThat(request.id()).isEqualTo("a");
        assertThat(request.prompt()).isEqualTo("Hi\n");
        assertThat(request.parameters())
                .isEqualTo(
                        new GenerationParameters(
                                OptionalInt.of(20),
                                OptionalDouble.of(0.5),
                                OptionalInt.of(40),
                                OptionalDouble.of(0.9),
                                OptionalLong.of(Long.MIN_VALUE),
                                List.of("x", "y"),
                                OptionalInt.of(2),
                                OptionalInt.of(0),
                                true,
                                OptionalDouble.of(0.5),
                                OptionalDouble.of(-0.25),
                                OptionalDouble.of(1.1),
                                OptionalDouble.of(0.05),
                                Map.of(50, -100.0, 0, 0.5),
                                OptionalInt.of(3),
                                OptionalInt.of(5),
                                OptionalInt.of(2),
                                true,
                                true));
    }

    @Test
    void aPromptIsEnough() throws InvalidRequestException {
        assertThat(parse("{\"prompt\": \"Hi\"}").parameters())
                .isEqualTo(GenerationParameters.DEFAULTS);
    }

    @Test
    void nullIsTheSameAsLeavingAFieldOut() throws InvalidRequestException {
        GenerationRequest request =
                parse(
                        """
                        {"id": null, "prompt": "Hi", "max_tokens": null, "temperature": null,
                         "top_p": null, "seed": null, "stop": null, "top_k": null,
                         "assistant_early_exit": null, "num_assistant_tokens": null,
                         "ignore_eos": null, "metadata": null, "presence_penalty": null,
                         "frequency_penalty": null, "repetition_penalty": null, "min_p": null,
                         "logit_bias": null, "min_tokens": null, "logprobs": null, "n": null,
                         "echo": null, "return_confidence": null, "best_of": null}
                        """);

        assertThat(request.id()).isEqualTo("line-1");
        assertThat(request.parameters()).isEqualTo(GenerationParameters.DEFAULTS);
    }

    @Test
    void unknownFieldsAreLeftAlone() throws InvalidRequestException {
        assertThat(parse("{\"prompt\": \"Hi\", \"model\": \"m\", \"user\": [1]}").prompt())
                .isEqualTo("Hi");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "\"best_of\": 2",
                "\"stream\": true",
                "\"suffix\": \"x\"",
                "\"top_logprobs\": 5",
                "\"prompt_logprobs\": 1",
                "\"length_penalty\": 1.1",
                "\"use_beam_search\": true",
                "\"stop_token_ids\": [1]",
                "\"response_format\": {\"type\": \"json_object\"}"
            })
    void whatIsNotServedIsRefusedByName(String field) {
        InvalidRequestException refusal =
                catchThrowableOfType(
                        InvalidRequestException.class,
                        () -> parse("{\"prompt\": \"Hi\", " + field + "}"));

        assertThat(refusal.errorClass()).isEqualTo(ErrorClass.INVALID_REQUEST);
        assertThat(refusal)
                .hasMessageStartingWith(field.substring(1, field.indexOf('"', 1)) + " is ")
                .hasMessageEndingWith("not served");
    }

    @Test
    void whatIsNotServedMayAskForNothing() throws InvalidRequestException {
        GenerationRequest request =
                parse(
                        """
                        {"prompt": "Hi", "best_of": 1.0, "stream": false, "suffix": "",
                         "top_logprobs": 0, "length_penalty": 1.0, "stop_token_ids": [],
                         "logprobs": false, "echo": false, "logit_bias": {},
                         "response_format": {"type": "text"}}
                        """);

        assertThat(request.parameters()).isEqualTo(GenerationParameters.DEFAULTS);
    }

    @Test
    void theBestOfOtherThanAllIsRefused() {
        assertThat(refused(utf8("{\"prompt\": \"Hi\", \"n\": 3, \"best_of\": 4}")))
                .hasMessage("best_of is 4; allowed: 3 or no such field, as it is not served");
    }

    @Test
    void aByteOrderMarkIsSkipped() throws InvalidRequestException {
        assertThat(parse("\uFEFF{\"prompt\": \"Hi\"}").prompt()).isEqualTo("Hi");
        assertThat(parse("{\"prompt\": \"\uFEFFHi\"}").prompt()).isEqualTo("\uFEFFHi");
    }

    @Test
    void oneStopTextNeedsNoArray() throws InvalidRequestException {
        assertThat(parse("{\"prompt\": \"Hi\", \"stop\": \"\\n\"}").parameters().stop())
                .containsExactly("\n");
    }

    @Test
    void aNumberIsAnId() throws InvalidRequestException {
        assertThat(parse("{\"id\": 12345678901234567890, \"prompt\": \"Hi\"}").id())
                .isEqualTo("12345678901234567890");
    }

    @Test
    void aRecordWithoutIdIsNamedByItsPosition() throws InvalidRequestException {
        SourceRecord source = record(Optional.of(utf8("{\"prompt\": \"Hi\"}")));

        assertThat(format.parse(source).id()).isEqualTo("prompts-3-42");
    }

    @Test
    void aRecordWithoutValueIsRefused() {
        InvalidRequestException e =
                catchThrowableOfType(
                        InvalidRequestException.class,
                        () -> format.parse(record(Optional.empty())));

        assertThat(e.errorClass()).isEqualTo(ErrorClass.NULL_VALUE);
        assertThat(e).hasMessageContaining("no value");
    }

    @Test
    void aValueOfTheLargestSizeIsLetIn() throws InvalidRequestException {
        byte[] value = utf8("{\"prompt\": \"Hi\"}");

        assertThat(new CompletionRequestFormat(value.length).parse(value, "1").prompt())
                .isEqualTo("Hi");
    }

    @Test
    void aValueOfFiveMegabytesIsRefused() {
        String json = "{\"prompt\": \"" + "x".repeat(5_000_000) + "\"}";

        InvalidRequestException e = refused(utf8(json));

        assertThat(e.errorClass()).isEqualTo(ErrorClass.VALUE_TOO_LARGE);
        assertThat(e).hasMessage("the value has 5000014 bytes; allowed: at most 1048576");
    }

    @Test
    void bytesThatAreNotUtf8AreRefused() {
        InvalidRequestException e =
                refused("{\"prompt\": \"caf\u00e9\"}".getBytes(StandardCharsets.ISO_8859_1));

        assertThat(e.errorClass()).isEqualTo(ErrorClass.INVALID_UTF8);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "Hi",
                "{\"prompt\": \"Hi\"",
                "{\"prompt\": \"Hi\"} {}",
                "{\"prompt\": \"Hi\"} x",
                "{'prompt': 'Hi'}",
                "{\"prompt\": \"Hi\", \"prompt\": \"Ho\"}",
                "{\"prompt\": \"Hi\", \"metadata\": {\"a\": 1, \"a\": 2}}",
                "{\"prompt\": \"Hi\", \"temperature\": NaN}",
                "{\"prompt\": \"\u0001\"}",
                "\ufeff{\"prompt\": \"Hi\"}x"
            })
    void whatIsNotOneJsonDocumentIsRefused(String value) {
        assertThat(refused(utf8(value)).errorClass()).isEqualTo(ErrorClass.INVALID_JSON);
    }

    @Test
    void deepNestingIsRefused() {
        String nested = "[".repeat(100_000) + "]".repeat(100_000);

        InvalidRequestException e =
                refused(utf8("{\"prompt\": \"Hi\", \"metadata\": {\"a\": " + nested + "}}"));

        assertThat(e.errorClass()).isEqualTo(ErrorClass.INVALID_JSON);
        assertThat(e).hasMessageContaining("100");
    }

    @Test
    void aNumberOfAThousandDigitsAndMoreIsRefused() {
        InvalidRequestException e =
                refused(utf8("{\"prompt\": \"Hi\", \"seed\": " + "9".repeat(100_000) + "}"));

        assertThat(e.errorClass()).isEqualTo(ErrorClass.INVALID_JSON);
    }

    @Test
    void theMessageOfASyntaxErrorSaysWhere() {
        assertThat(refused(utf8("{\"prompt\":\n oops}")))
                .hasMessageStartingWith("the value is no JSON document at line 2, column ");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "[1]                        | the value is an array; allowed: a JSON object",
                "null                       | the value is null; allowed: a JSON object",
                "\"Hi\"                     | the value is the string \"Hi\"; allowed: a JSON object",
                "` `                        | the value is empty; allowed: a JSON object",
                "{}                         | prompt is missing; allowed: a string, not empty, or messages",
                "{\"prompt\": null}         | prompt is missing; allowed: a string, not empty, or messages",
                "{\"prompt\": \"\"}         | prompt is an empty string; allowed: a string, not empty",
                "{\"prompt\": 5}            | prompt is 5; allowed: a string, not empty",
                "{\"prompt\": [\"Hi\"]}     | prompt is an array; allowed: a string, not empty",
                "{\"prompt\": \"a\\ud800\"} | prompt has half a surrogate pair; allowed: whole"
                        + " Unicode characters",
            })
    void whatIsNoRequestIsRefused(String value, String message) {
        InvalidRequestException e = refused(utf8(value));

        assertThat(e.errorClass()).isEqualTo(ErrorClass.INVALID_REQUEST);
        assertThat(e).hasMessage(message);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"max_tokens\": \"5\"             | max_tokens is the string \"5\"; allowed: a whole number of 32 bits",
                "\"max_tokens\": 5.0               | max_tokens is 5.0; allowed: a whole number of 32 bits",
                "\"max_tokens\": 4294967297        | max_tokens is 4294967297; allowed: a whole number of 32 bits",
                "\"max_tokens\": 0                 | max_tokens is 0; allowed: at least 1",
                "\"top_k\": true                   | top_k is true; allowed: a whole number of 32 bits",
                "\"top_k\": -1                     | top_k is -1; allowed: at least 0 (0: all tokens)",
                "\"seed\": 9223372036854775808     | seed is 9223372036854775808; allowed: a whole number of 64 bits",
                "\"temperature\": \"hot\"          | temperature is the string \"hot\"; allowed: a number",
                "\"temperature\": -0.1             | temperature is -0.1; allowed: from 0 to 100",
                "\"temperature\": 1e999            | temperature is Infinity; allowed: from 0 to 100",
                "\"top_p\": 1.5                    | top_p is 1.5; allowed: above 0 and at most 1",
                "\"top_p\": {}                     | top_p is an object; allowed: a number",
                "\"stop\": 5                       | stop is 5; allowed: a string, or an array of strings",
                "\"stop\": [\"x\", 5]              | an element of stop is 5; allowed: a string, or an array of strings, none empty",
                "\"stop\": [null]                  | an element of stop is null; allowed: a string, or an array of strings, none empty",
                "\"stop\": \"\"                    | stop is an empty string; allowed: a string, or an array of strings",
                "\"assistant_early_exit\": -1      | assistant_early_exit is -1; allowed: at least 0",
                "\"num_assistant_tokens\": 65      | num_assistant_tokens is 65; allowed: from 0 to 64",
                "\"presence_penalty\": 2.5        | presence_penalty is 2.5; allowed: from -2 to 2",
                "\"frequency_penalty\": \"1\"     | frequency_penalty is the string \"1\"; allowed: a number",
                "\"frequency_penalty\": -3        | frequency_penalty is -3.0; allowed: from -2 to 2",
                "\"repetition_penalty\": 0        | repetition_penalty is 0.0; allowed: above 0",
                "\"repetition_penalty\": 1e999    | repetition_penalty is Infinity; allowed: above 0",
                "\"min_p\": 1.5                   | min_p is 1.5; allowed: from 0 to 1",
                "\"min_tokens\": \"0\"            | min_tokens is the string \"0\"; allowed: a whole number of 32 bits",
                "\"min_tokens\": -1               | min_tokens is -1; allowed: at least 0",
                "\"logit_bias\": [1]              | logit_bias is an array; allowed: an object with a number for each token id",
                "\"logit_bias\": {\"50\": 101}    | logit_bias of token 50 is 101.0; allowed: from -100 to 100",
                "\"logit_bias\": {\"50\": \"1\"}   | logit_bias of token 50 is the string \"1\"; allowed: a number",
                "\"logit_bias\": {\"the\": 1}     | logit_bias has the name \"the\"; allowed: token ids such as \"50\"",
                "\"logit_bias\": {\"-1\": 1}      | logit_bias has the name \"-1\"; allowed: token ids such as \"50\"",
                "\"logit_bias\": {\"05\": 1}      | logit_bias has the name \"05\"; allowed: token ids such as \"50\"",
                "\"logit_bias\": {\"9999999999\": 1} | logit_bias has the name \"9999999999\"; allowed: token ids such as \"50\"",
                "\"logprobs\": true               | logprobs is true; allowed: a whole number of 32 bits",
                "\"logprobs\": 21                 | logprobs is 21; allowed: from 0 to 20",
                "\"n\": 0                         | n is 0; allowed: from 1 to 32",
                "\"n\": 33                        | n is 33; allowed: from 1 to 32",
                "\"n\": 1.0                       | n is 1.0; allowed: a whole number of 32 bits",
                "\"echo\": \"yes\"                | echo is the string \"yes\"; allowed: true or false",
                "\"return_confidence\": 1         | return_confidence is 1; allowed: true or false",
                "\"ignore_eos\": 1                 | ignore_eos is 1; allowed: true or false",
                "\"id\": {}                        | id is an object; allowed: a string, not empty",
                "\"id\": \"\"                      | id is an empty string; allowed: a string, not empty",
                "\"metadata\": \"x\"               | metadata is the string \"x\"; allowed: an object",
                "\"metadata\": {\"a\": \"\\udc00\"} | metadata has half a surrogate pair; allowed: whole Unicode characters",
            })
    void aFieldThatIsNotAllowedIsNamed(String field, String message) {
        InvalidRequestException e = refused(utf8("{\"prompt\": \"Hi\", " + field + "}"));

        assertThat(e.errorClass()).isEqualTo(ErrorClass.INVALID_REQUEST);
        assertThat(e).hasMessage(message);
    }

    @Test
    void aStopTextThatIsTooLongIsRefused() {
        InvalidRequestException e =
                refused(
                        utf8(
                                "{\"prompt\": \"Hi\", \"stop\": [\"x\", \""
                                        + "x".repeat(257)
                                        + "\"]}"));

        assertThat(e.errorClass()).isEqualTo(ErrorClass.INVALID_REQUEST);
        assertThat(e).hasMessage("stop has a text of 257 characters; allowed: at most 256");
    }

    @Test
    void moreStopTextsThanAllowedAreRefused() {
        InvalidRequestException e =
                refused(utf8("{\"prompt\": \"Hi\", \"stop\": [" + "\"x\",".repeat(16) + "\"x\"]}"));

        assertThat(e.errorClass()).isEqualTo(ErrorClass.INVALID_REQUEST);
        assertThat(e).hasMessage("stop is 17 texts; allowed: at most 16");
    }

    @Test
    void aLongWrongValueIsQuotedInPart() {
        InvalidRequestException e =
                refused(utf8("{\"prompt\": \"Hi\", \"top_k\": \"" + "x".repeat(9_999) + "\"}"));

        assertThat(e.getMessage()).hasSizeLessThan(200).contains("xxx...");
    }

    private GenerationRequest parse(String json) throws InvalidRequestException {
        return format.parse(utf8(json), "line-1");
    }

    private InvalidRequestException refused(byte[] value) {
        InvalidRequestException e =
                catchThrowableOfType(
                        InvalidRequestException.class, () -> format.parse(value, "line-1"));
        assertThat(e).as("the value was let in").isNotNull();
        return e;
    }

    private static SourceRecord record(Optional<byte[]> value) {
        return new SourceRecord("prompts", 3, 42, 0, Optional.empty(), value, List.of());
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
