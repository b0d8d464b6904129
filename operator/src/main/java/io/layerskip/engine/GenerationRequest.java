package io.layerskip.engine;

import io.layerskip.chat.Chat;
import java.util.Objects;
import java.util.Optional;
import org.apache.flink.annotation.PublicEvolving;

/**
 * One prompt to complete, or one chat to answer.
 *
 * @param id names the request in results, logs and dead letters
 * @param prompt the text to complete; empty if there is a chat
 * @param chat what to answer, rendered with the checkpoint's chat template
 * @param parameters what the request asks for; what it leaves open is the engine's default
 * @param attachment bytes that the result carries back untouched; the engine never looks into them
 */
@PublicEvolving
public record GenerationRequest(
        String id,
        String prompt,
        Optional<Chat> chat,
        GenerationParameters parameters,
        byte[] attachment) {

    private static final byte[] NOTHING = {};

    public GenerationRequest {
        Objects.requireNonNull(id, "id");
        Objects.requireNonNull(prompt, "prompt");
        Objects.requireNonNull(chat, "chat");
        Objects.requireNonNull(parameters, "parameters");
        Objects.requireNonNull(attachment, "attachment");
        if (chat.isPresent() && !prompt.isEmpty()) {
            throw new IllegalArgumentException("request " + id + " has a prompt and a chat");
        }
    }

    public GenerationRequest(
            String id, String prompt, GenerationParameters parameters, byte[] attachment) {
        this(id, prompt, Optional.empty(), parameters, attachment);
    }

    public GenerationRequest(String id, String prompt, GenerationParameters parameters) {
        this(id, prompt, parameters, NOTHING);
    }

    /** A request to answer a chat. */
    public static GenerationRequest ofChat(
            String id, Chat chat, GenerationParameters parameters, byte[] attachment) {
        return new GenerationRequest(id, "", Optional.of(chat), parameters, attachment);
    }

    /** The length of what is to be tokenised, in UTF-16 units; of a chat, without its template. */
    int characters() {
        return chat.map(Chat::characters).orElse(prompt.length());
    }
}
