package io.layerskip.connectors;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.layerskip.engine.TokenLogprob;
import io.layerskip.engine.TokenLogprobs;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * Log probabilities in the two shapes that OpenAI has for them: lists side by side in completions,
 * and a list of objects in chats.
 *
 * <p>A token without a text of its own, such as an end-of-sequence token, goes by its id.
 */
final class LogprobsFormat {

    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;

    /** What OpenAI gives for less. */
    private static final double LEAST_LOGPROB = -9999;

    private LogprobsFormat() {}

    /** What stands in a choice's {@code logprobs}; null where nobody asked for them. */
    static JsonNode format(List<TokenLogprobs> tokens, boolean isChat) {
        if (tokens.isEmpty()) {
            return JSON.nullNode();
        }
        return isChat ? ofChat(tokens) : ofCompletion(tokens);
    }

    private static ObjectNode ofChat(List<TokenLogprobs> tokens) {
        ObjectNode object = JSON.objectNode();
        ArrayNode content = object.putArray("content");
        for (TokenLogprobs token : tokens) {
            ObjectNode entry = content.addObject();
            put(entry, token.chosen());
            ArrayNode top = entry.putArray("top_logprobs");
            token.top().forEach(likely -> put(top.addObject(), likely));
        }
        return object;
    }

    private static void put(ObjectNode object, TokenLogprob token) {
        object.put("token", name(token));
        object.put("logprob", finite(token.logprob()));
        if (token.text().isEmpty()) {
            object.putNull("bytes");
            return;
        }
        ArrayNode bytes = object.putArray("bytes");
        for (byte each : token.text().getBytes(StandardCharsets.UTF_8)) {
            bytes.add(each & 0xff);
        }
    }

    private static ObjectNode ofCompletion(List<TokenLogprobs> tokens) {
        ObjectNode object = JSON.objectNode();
        ArrayNode texts = object.putArray("tokens");
        ArrayNode logprobs = object.putArray("token_logprobs");
        ArrayNode tops = object.putArray("top_logprobs");
        ArrayNode offsets = object.putArray("text_offset");
        int offset = 0;
        for (TokenLogprobs token : tokens) {
            TokenLogprob chosen = token.chosen();
            texts.add(name(chosen));
            logprobs.add(finite(chosen.logprob()));
            offsets.add(offset);
            offset += chosen.text().codePointCount(0, chosen.text().length());
            ObjectNode top = tops.addObject();
            token.top().forEach(likely -> add(top, likely));
            if (token.top().stream().noneMatch(l -> l.tokenId() == chosen.tokenId())) {
                add(top, chosen);
            }
        }
        return object;
    }

    /** Of two tokens with the same text, the less likely one goes by its id. */
    private static void add(ObjectNode top, TokenLogprob token) {
        String name = top.has(name(token)) ? nameById(token) : name(token);
        top.put(name, finite(token.logprob()));
    }

    private static String name(TokenLogprob token) {
        return token.text().isEmpty() ? nameById(token) : token.text();
    }

    private static String nameById(TokenLogprob token) {
        return "token_id:" + token.tokenId();
    }

    /** JSON has no infinity. */
    private static double finite(double logprob) {
        return Math.max(logprob, LEAST_LOGPROB);
    }
}
