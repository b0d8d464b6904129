package io.layerskip.connectors;

import static java.util.Map.entry;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.cfg.JsonNodeFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.layerskip.chat.Chat;
import io.layerskip.connectors.InvalidRequestException.ErrorClass;
import io.layerskip.engine.GenerationParameters;
import io.layerskip.engine.GenerationRequest;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.apache.flink.annotation.PublicEvolving;

/**
 * Requests as JSON objects, in UTF-8, with the fields of OpenAI's completions and chat completions
 * APIs and, for what those lack, of Hugging Face's {@code generate} and vLLM.
 *
 * <pre>{@code
 * {"id": "7", "prompt": "banking: Where is my card?\n", "max_tokens": 32, "stop": ["\n"],
 *  "metadata": {"customer": 12}}
 * }</pre>
 *
 * <pre>{@code
 * {"messages": [{"role": "user", "content": "Where is my card?"}]}
 * }</pre>
 *
 * <table>
 * <caption>Fields; only the prompt or the messages are required, and null is the same as leaving a
 *   field out</caption>
 * <tr><th>{@code prompt}</th><td>a string, not empty</td></tr>
 * <tr><th>{@code messages}</th><td>an array, not empty, of objects with {@code role} and {@code
 *   content}, a string or an array of text parts; in an assistant's message also {@code
 *   tool_calls}</td></tr>
 * <tr><th>{@code tools}</th><td>an array of functions, for messages</td></tr>
 * <tr><th>{@code chat_template_kwargs}</th><td>an object with variables of the chat template, for
 *   messages</td></tr>
 * <tr><th>{@code id}</th><td>a string, not empty, or a number</td></tr>
 * <tr><th>{@code max_tokens} or {@code max_completion_tokens}, {@code top_k}, {@code assistant_early_exit},
 *   {@code num_assistant_tokens}, {@code min_tokens}, {@code n}, {@code logprobs}, in chats {@code
 *   top_logprobs}</th><td>a whole
 *   number of 32 bits</td></tr>
 * <tr><th>{@code seed}</th><td>a whole number of 64 bits</td></tr>
 * <tr><th>{@code temperature}, {@code top_p}, {@code min_p}, {@code presence_penalty}, {@code
 *   frequency_penalty}, {@code repetition_penalty}</th><td>a number</td></tr>
 * <tr><th>{@code logit_bias}</th><td>an object with a number for each token id</td></tr>
 * <tr><th>{@code stop}</th><td>a string, or an array of strings</td></tr>
 * <tr><th>{@code ignore_eos}, {@code echo}, {@code return_confidence}</th><td>true or
 *   false</td></tr>
 * <tr><th>{@code metadata}</th><td>an object, handed through to the completion</td></tr>
 * </table>
 *
 * <p>Ranges are those of {@link GenerationParameters}. A whole number is written without fraction
 * and exponent: {@code 5.0} is refused. Refused are a name that an object has twice, more than
 * {@value #MAX_NESTING} levels, anything after the object, and half a surrogate pair in a text. A
 * byte order mark at the start is skipped.
 *
 * <p>Fields of OpenAI's and vLLM's that would change the answer but are not served, such as {@code
 * stream} or {@code suffix}, are refused unless they ask for nothing, as {@code "stream": false}
 * and a {@code best_of} that is {@code n} do. Other fields are allowed and left alone.
 *
 * <p>Thread-safe.
 */
@PublicEvolving
public final class CompletionRequestFormat implements RequestFormat {

    /** The size of a value that is let in unless told otherwise, in bytes: 1 MiB. */
    public static final int DEFAULT_MAX_VALUE_BYTES = 1024 * 1024;

    /** Levels of objects and arrays that a request may have. */
    public static final int MAX_NESTING = 100;

    private static final long serialVersionUID = 1;

    private static final JsonMapper JSON = newMapper();

    /** Fields that are not served, each with the value that asks for nothing. */
    private static final Map<String, JsonNode> NOT_SERVED = notServed();

    private static final List<String> CHAT_ONLY = List.of("tools", "chat_template_kwargs");

    private final int maxValueBytes;

    /** The format that lets in values of up to {@value #DEFAULT_MAX_VALUE_BYTES} bytes. */
    public CompletionRequestFormat() {
        this(DEFAULT_MAX_VALUE_BYTES);
    }

    /**
     * @param maxValueBytes size of the largest value that is let in, at least 1
     */
    public CompletionRequestFormat(int maxValueBytes) {
        if (maxValueBytes < 1) {
            throw new IllegalArgumentException(
                    "maxValueBytes is " + maxValueBytes + "; allowed: at least 1");
        }
        this.maxValueBytes = maxValueBytes;
    }

    private static JsonMapper newMapper() {
        StreamReadConstraints constraints =
                StreamReadConstraints.builder()
                        .maxNestingDepth(MAX_NESTING)
                        // The value's size is the limit.
                        .maxStringLength(Integer.MAX_VALUE)
                        .build();
        return JsonMapper.builder(
                        JsonFactory.builder()
                                .streamReadConstraints(constraints)
                                .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                                .build())
                .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                // Numbers in metadata keep their digits, 0.10 included; what may change is the sign
                // of -0.0 and how an exponent is written, 1E+5 for 1e5.
                .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
                .disable(JsonNodeFeature.STRIP_TRAILING_BIGDECIMAL_ZEROES)
                .build();
    }

    private static Map<String, JsonNode> notServed() {
        JsonNodeFactory json = JsonNodeFactory.instance;
        return Map.ofEntries(
                entry("stream", json.booleanNode(false)),
                entry("suffix", json.textNode("")),
                entry("prompt_logprobs", json.numberNode(0)),
                entry("length_penalty", json.numberNode(1)),
                entry("use_beam_search", json.booleanNode(false)),
                entry("stop_token_ids", json.arrayNode()),
                entry("tool_choice", json.textNode("auto")),
                entry("parallel_tool_calls", json.booleanNode(true)),
                entry("add_generation_prompt", json.booleanNode(true)),
                entry("continue_final_message", json.booleanNode(false)),
                entry("documents", json.arrayNode()),
                entry("functions", json.arrayNode()),
                entry("function_call", json.textNode("auto")),
                entry("modalities", json.arrayNode().add("text")),
                entry("reasoning_effort", json.nullNode()),
                entry("verbosity", json.textNode("medium")),
                entry("web_search_options", json.nullNode()),
                entry("chat_template", json.nullNode()),
                entry("response_format", json.objectNode().put("type", "text")));
    }

    @Override
    public GenerationRequest parse(SourceRecord source) throws InvalidRequestException {
        return parse(RecordText.of(source, maxValueBytes), source.position(), Optional.of(source));
    }

    /**
     * Reads the request in a line of a file.
     *
     * @param value JSON in UTF-8
     * @param defaultId the request's id if it has none
     * @throws InvalidRequestException if the value is no request
     */
    public GenerationRequest parse(byte[] value, String defaultId) throws InvalidRequestException {
        return parse(RecordText.of(value, maxValueBytes), defaultId, Optional.empty());
    }

    private static GenerationRequest parse(
            String text, String defaultId, Optional<SourceRecord> source)
            throws InvalidRequestException {
        RequestFields fields = new RequestFields(readTree(text));
        Optional<Chat> chat = chat(fields, source);
        Optional<String> prompt = fields.text("prompt");
        if (chat.isPresent() == prompt.isPresent()) {
            throw new InvalidRequestException(
                    ErrorClass.INVALID_REQUEST,
                    chat.isPresent()
                            ? "prompt and messages are both there; allowed: one of them"
                            : "prompt is missing; allowed: a string, not empty, or messages");
        }
        String id = fields.id().orElse(defaultId);
        for (Map.Entry<String, JsonNode> field : NOT_SERVED.entrySet()) {
            fields.refuseUnless(field.getKey(), field.getValue());
        }
        GenerationParameters parameters = parameters(fields, chat.isPresent());
        // Of the best of as many as are asked for, none is left out.
        int n = parameters.n().orElse(1);
        fields.refuseUnless("best_of", JsonNodeFactory.instance.numberNode(n));
        RequestContext context =
                new RequestContext(fields.json("metadata"), source, chat.isPresent());
        return new GenerationRequest(
                id, prompt.orElse(""), chat, parameters, context.toAttachment());
    }

    private static Optional<Chat> chat(RequestFields fields, Optional<SourceRecord> source)
            throws InvalidRequestException {
        if (!fields.has("messages")) {
            for (String field : CHAT_ONLY) {
                fields.refuse(field, "without messages");
            }
            return Optional.empty();
        }
        Instant created = source.flatMap(SourceRecord::time).orElseGet(Instant::now);
        return Optional.of(new ChatFields(fields, JSON).chat(created.toEpochMilli()));
    }

    private static GenerationParameters parameters(RequestFields fields, boolean isChat)
            throws InvalidRequestException {
        try {
            GenerationParameters.Builder asked = GenerationParameters.builder();
            maxTokens(fields).ifPresent(asked::maxTokens);
            fields.number("temperature").ifPresent(asked::temperature);
            fields.wholeNumber("top_k").ifPresent(asked::topK);
            fields.number("top_p").ifPresent(asked::topP);
            fields.longNumber("seed").ifPresent(asked::seed);
            asked.stop(fields.texts("stop").toArray(String[]::new));
            fields.wholeNumber("assistant_early_exit").ifPresent(asked::assistantEarlyExit);
            fields.wholeNumber("num_assistant_tokens").ifPresent(asked::numAssistantTokens);
            fields.number("presence_penalty").ifPresent(asked::presencePenalty);
            fields.number("frequency_penalty").ifPresent(asked::frequencyPenalty);
            fields.number("repetition_penalty").ifPresent(asked::repetitionPenalty);
            fields.number("min_p").ifPresent(asked::minP);
            asked.logitBias(fields.numbersByToken("logit_bias"));
            fields.wholeNumber("min_tokens").ifPresent(asked::minTokens);
            logprobs(fields, isChat).ifPresent(asked::logprobs);
            fields.wholeNumber("n").ifPresent(asked::n);
            asked.echo(!isChat && fields.flag("echo"));
            asked.returnConfidence(fields.flag("return_confidence"));
            return asked.ignoreEos(fields.flag("ignore_eos")).build();
        } catch (IllegalArgumentException e) {
            throw new InvalidRequestException(ErrorClass.INVALID_REQUEST, e.getMessage(), e);
        }
    }

    /** In chats, OpenAI asks with a flag and a number, else with the number alone. */
    private static OptionalInt logprobs(RequestFields fields, boolean isChat)
            throws InvalidRequestException {
        JsonNode none = JsonNodeFactory.instance.numberNode(0);
        if (!isChat) {
            fields.refuseUnless("top_logprobs", none);
            return fields.wholeNumberOrFalse("logprobs");
        }
        fields.refuseUnless("echo", JsonNodeFactory.instance.booleanNode(false));
        if (!fields.flag("logprobs")) {
            fields.refuseUnless("top_logprobs", none);
            return OptionalInt.empty();
        }
        return OptionalInt.of(fields.wholeNumber("top_logprobs").orElse(0));
    }

    /** OpenAI's two spellings of one limit. */
    private static OptionalInt maxTokens(RequestFields fields) throws InvalidRequestException {
        OptionalInt maxTokens = fields.wholeNumber("max_tokens");
        OptionalInt inChats = fields.wholeNumber("max_completion_tokens");
        if (maxTokens.isPresent() && inChats.isPresent() && !maxTokens.equals(inChats)) {
            throw new InvalidRequestException(
                    ErrorClass.INVALID_REQUEST,
                    "max_tokens is %d and max_completion_tokens is %d; allowed: one of them"
                            .formatted(maxTokens.getAsInt(), inChats.getAsInt()));
        }
        return maxTokens.isPresent() ? maxTokens : inChats;
    }

    private static JsonNode readTree(String json) throws InvalidRequestException {
        JsonNode tree;
        try {
            tree = JSON.readTree(json);
        } catch (JsonProcessingException e) {
            throw InvalidRequestException.notJson(e);
        } catch (NumberFormatException e) {
            // Jackson's own answer to an exponent that no number type holds.
            throw new InvalidRequestException(
                    ErrorClass.INVALID_JSON,
                    "the value holds a number that cannot be read: "
                            + RequestFields.excerpt(e.getMessage()),
                    e);
        }
        if (!tree.isObject()) {
            throw new InvalidRequestException(
                    ErrorClass.INVALID_REQUEST,
                    "the value is " + RequestFields.describe(tree) + "; allowed: a JSON object");
        }
        return tree;
    }
}
