package io.layerskip.chat;

/** A chat template that cannot be interpreted; says what is not known, and where it stands. */
final class ChatTemplateException extends Exception {

    private static final long serialVersionUID = 1;

    ChatTemplateException(String message) {
        super(message);
    }

    static ChatTemplateException at(Position position, String message) {
        return new ChatTemplateException("%s at %s".formatted(message, position));
    }
}
