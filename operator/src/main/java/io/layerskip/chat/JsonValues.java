package io.layerskip.chat;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.layerskip.chat.Values.DictValue;
import io.layerskip.chat.Values.ListValue;
import io.layerskip.chat.Values.None;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** JSON as the values that Python's {@code json.loads} makes of it; its texts are messages'. */
final class JsonValues {

    private static final ObjectMapper JSON =
            new ObjectMapper(
                    JsonFactory.builder()
                            // What is let in as a request is the limit.
                            .streamReadConstraints(
                                    StreamReadConstraints.builder()
                                            .maxStringLength(Integer.MAX_VALUE)
                                            .maxNestingDepth(Budget.MAX_DEPTH)
                                            .build())
                            .build());

    private static final String ROLE = "role";

    /**
     * Roles that everybody knows. A template may make a special token of one, as in {@code "<|" +
     * message.role + "|>"}; any other text in that place is text.
     */
    private static final Set<String> ROLES =
            Set.of(
                    "system",
                    "developer",
                    "user",
                    "assistant",
                    "model",
                    "tool",
                    "function",
                    "ipython",
                    "observation",
                    "tool_response",
                    "document",
                    "context");

    private JsonValues() {}

    static Object read(String json) throws ChatRenderingException {
        try {
            return value(JSON.readTree(json));
        } catch (JsonProcessingException e) {
            throw new ChatRenderingException("no JSON: " + e.getOriginalMessage());
        }
    }

    /** The messages of a chat, whose roles are the template's if they are known. */
    static ListValue readMessages(String json) throws ChatRenderingException {
        if (!(read(json) instanceof ListValue messages)) {
            throw new ChatRenderingException("messages that are no array");
        }
        List<Object> withRoles = new ArrayList<>();
        for (Object message : messages.items()) {
            if (message instanceof DictValue dict
                    && dict.entries().get(Str.ofTemplate(ROLE)) instanceof Str role
                    && ROLES.contains(role.text())) {
                dict.entries().put(Str.ofTemplate(ROLE), Str.ofTemplate(role.text()));
            }
            withRoles.add(message);
        }
        return new ListValue(withRoles);
    }

    private static Object value(JsonNode node) {
        return switch (node.getNodeType()) {
            case STRING -> Str.ofMessage(node.textValue());
            case BOOLEAN -> node.booleanValue();
            case NUMBER -> number(node);
            case ARRAY -> {
                List<Object> items = new ArrayList<>();
                node.forEach(item -> items.add(value(item)));
                yield new ListValue(items);
            }
            case OBJECT -> {
                Map<Object, Object> entries = new LinkedHashMap<>();
                node.properties()
                        .forEach(
                                field ->
                                        entries.put(
                                                Str.ofMessage(field.getKey()),
                                                value(field.getValue())));
                yield new DictValue(entries);
            }
            default -> None.NONE;
        };
    }

    private static Object number(JsonNode node) {
        if (!node.isIntegralNumber()) {
            return node.doubleValue();
        }
        BigInteger number = node.bigIntegerValue();
        return node.canConvertToLong() ? (Object) node.longValue() : number;
    }
}
