package io.layerskip.chat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.apache.flink.annotation.PublicEvolving;

/**
 * What an assistant is to answer: the messages so far, as the JSON that a chat template is given.
 *
 * @param messages an array of objects with {@code role} and {@code content}
 * @param tools an array of the functions that the assistant may call
 * @param templateArguments an object with further variables of the template
 * @param createdMillis when it was asked, in ms since 1970: what the template takes for the present
 */
@PublicEvolving
public record Chat(
        String messages,
        Optional<String> tools,
        Optional<String> templateArguments,
        long createdMillis) {

    private static final ObjectMapper JSON = new ObjectMapper();

    public Chat {
        Objects.requireNonNull(messages, "messages");
        Objects.requireNonNull(tools, "tools");
        Objects.requireNonNull(templateArguments, "templateArguments");
    }

    /**
     * A chat of plain messages.
     *
     * @param created when it was asked
     */
    public static Chat of(List<ChatMessage> messages, Instant created) {
        ArrayNode array = JSON.createArrayNode();
        for (ChatMessage message : messages) {
            array.addObject().put("role", message.role()).put("content", message.content());
        }
        try {
            return new Chat(
                    JSON.writeValueAsString(array),
                    Optional.empty(),
                    Optional.empty(),
                    created.toEpochMilli());
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException("messages that cannot be written as JSON", e);
        }
    }

    /** How long it is, in UTF-16 units: what it costs to render and tokenise follows from it. */
    public int characters() {
        return messages.length()
                + tools.map(String::length).orElse(0)
                + templateArguments.map(String::length).orElse(0);
    }
}
