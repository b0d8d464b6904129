package io.layerskip.chat;

import org.apache.flink.annotation.PublicEvolving;

/** A chat that a template does not render; says why, for the person who sent it. */
@PublicEvolving
public final class ChatRenderingException extends Exception {

    private static final long serialVersionUID = 1;

    public ChatRenderingException(String message) {
        super(message);
    }
}
