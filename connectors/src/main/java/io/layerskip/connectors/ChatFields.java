package io.layerskip.connectors;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import io.layerskip.chat.Chat;
import io.layerskip.connectors.InvalidRequestException.ErrorClass;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The messages of a request, and what belongs to them, as a chat template takes them: texts that
 * come in parts are put together, and the arguments of tool calls, which OpenAI sends as JSON in a
 * string, become objects. Fields that are not OpenAI's stay: a template may know them.
 */
final class ChatFields {

    private static final String ALLOWED_CONTENT =
            "a string, or an array of parts {\"type\": \"text\", \"text\": \"...\"}";

    private final RequestFields request;
    private final JsonMapper json;

    /**
     * @param json reads the arguments of tool calls
     */
    ChatFields(RequestFields request, JsonMapper json) {
        this.request = request;
        this.json = json;
    }

    /**
     * The chat.
     *
     * @param createdMillis when it was asked, in ms since 1970
     */
    Chat chat(long createdMillis) throws InvalidRequestException {
        List<JsonNode> messages = request.array("messages").orElseThrow();
        if (messages.isEmpty()) {
            throw refused("messages is an empty array; allowed: at least one message");
        }
        ArrayNode rendered = json.createArrayNode();
        for (int i = 0; i < messages.size(); i++) {
            rendered.add(message("messages[%d]".formatted(i), messages.get(i)));
        }
        Optional<List<JsonNode>> tools = request.array("tools").filter(list -> !list.isEmpty());
        Optional<String> declared = Optional.empty();
        if (tools.isPresent()) {
            ArrayNode functions = json.createArrayNode();
            for (int i = 0; i < tools.get().size(); i++) {
                functions.add(tool("tools[%d]".formatted(i), tools.get().get(i)));
            }
            declared = Optional.of(RequestFields.checkEncodable("tools", functions.toString()));
        }
        return new Chat(
                RequestFields.checkEncodable("messages", rendered.toString()),
                declared,
                request.json("chat_template_kwargs"),
                createdMillis);
    }

    private static JsonNode tool(String path, JsonNode tool) throws InvalidRequestException {
        requireObject(path, tool);
        JsonNode type = tool.path("type");
        if (!type.asText().equals("function")) {
            throw wrong(path + ".type", type, "\"function\"");
        }
        requireObject(path + ".function", tool.path("function"));
        requireText(path + ".function.name", tool.path("function").path("name"));
        return tool;
    }

    private ObjectNode message(String path, JsonNode message) throws InvalidRequestException {
        requireObject(path, message);
        requireText(path + ".role", message.path("role"));
        for (String field : List.of("audio", "function_call", "refusal")) {
            if (message.hasNonNull(field)) {
                throw wrong(path + "." + field, message.get(field), "no such field");
            }
        }
        ObjectNode rendered = message.deepCopy();
        for (String field : List.of("audio", "function_call", "refusal", "name", "tool_calls")) {
            if (message.path(field).isNull()) {
                rendered.remove(field);
            }
        }
        boolean hasToolCalls = rendered.has("tool_calls");
        if (hasToolCalls) {
            rendered.set("tool_calls", toolCalls(path + ".tool_calls", message.get("tool_calls")));
        }
        JsonNode content = message.path("content");
        boolean isAbsent = content.isMissingNode() || content.isNull();
        if (!isAbsent || !hasToolCalls) {
            rendered.set("content", content(path + ".content", content));
        }
        return rendered;
    }

    private static JsonNode content(String path, JsonNode content) throws InvalidRequestException {
        if (content.isTextual()) {
            return content;
        }
        if (!content.isArray() || content.isEmpty()) {
            throw wrong(path, content, ALLOWED_CONTENT);
        }
        List<String> texts = new ArrayList<>();
        for (JsonNode part : content) {
            String place = "%s[%d]".formatted(path, texts.size());
            requireObject(place, part);
            if (!part.path("type").asText().equals("text")) {
                throw wrong(place + ".type", part.path("type"), "\"text\"");
            }
            if (!part.path("text").isTextual()) {
                throw wrong(place + ".text", part.path("text"), "a string");
            }
            texts.add(part.get("text").textValue());
        }
        return TextNode.valueOf(String.join("\n", texts));
    }

    private ArrayNode toolCalls(String path, JsonNode calls) throws InvalidRequestException {
        if (!calls.isArray() || calls.isEmpty()) {
            throw wrong(path, calls, "an array, not empty");
        }
        ArrayNode rendered = json.createArrayNode();
        for (JsonNode call : calls) {
            String place = "%s[%d]".formatted(path, rendered.size());
            requireObject(place, call);
            requireObject(place + ".function", call.path("function"));
            requireText(place + ".function.name", call.path("function").path("name"));
            ObjectNode copy = call.deepCopy();
            JsonNode arguments = call.path("function").path("arguments");
            if (arguments.isTextual()) {
                ((ObjectNode) copy.get("function"))
                        .set(
                                "arguments",
                                arguments(place + ".function.arguments", arguments.textValue()));
            }
            rendered.add(copy);
        }
        return rendered;
    }

    private JsonNode arguments(String path, String text) throws InvalidRequestException {
        String allowed = "a JSON object, in a string or not";
        try {
            JsonNode arguments = json.readTree(text.isBlank() ? "{}" : text);
            if (!arguments.isObject()) {
                throw wrong(path, arguments, allowed);
            }
            return arguments;
        } catch (JsonProcessingException | NumberFormatException e) {
            throw wrong(path, TextNode.valueOf(text), allowed);
        }
    }

    private static void requireObject(String path, JsonNode value) throws InvalidRequestException {
        if (!value.isObject()) {
            throw wrong(path, value, "an object");
        }
    }

    private static void requireText(String path, JsonNode value) throws InvalidRequestException {
        if (!value.isTextual() || value.textValue().isEmpty()) {
            throw wrong(path, value, "a string, not empty");
        }
    }

    private static InvalidRequestException wrong(String path, JsonNode value, String allowed) {
        return RequestFields.wrong(path, value, allowed);
    }

    private static InvalidRequestException refused(String message) {
        return new InvalidRequestException(ErrorClass.INVALID_REQUEST, message);
    }
}
