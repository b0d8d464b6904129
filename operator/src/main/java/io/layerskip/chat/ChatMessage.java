package io.layerskip.chat;

import java.util.Objects;
import org.apache.flink.annotation.PublicEvolving;

/**
 * One message of a chat.
 *
 * @param role who speaks: {@code system}, {@code user} or {@code assistant}
 * @param content what is said
 */
@PublicEvolving
public record ChatMessage(String role, String content) {

    public ChatMessage {
        Objects.requireNonNull(role, "role");
        Objects.requireNonNull(content, "content");
    }
}
