package io.layerskip.chat;

/**
 * A piece of a template.
 *
 * @param text what it says: of a string its value, of an operator or a name its characters
 */
record Token(Type type, String text, Position position) {

    enum Type {
        DATA,
        VARIABLE_BEGIN,
        VARIABLE_END,
        BLOCK_BEGIN,
        BLOCK_END,
        NAME,
        STRING,
        INTEGER,
        FLOAT,
        OPERATOR,
        END
    }

    boolean isOperator(String operator) {
        return type == Type.OPERATOR && text.equals(operator);
    }

    boolean isName(String name) {
        return type == Type.NAME && text.equals(name);
    }

    /** What stands here, for a message. */
    String shown() {
        return switch (type) {
            case END -> "the end of the template";
            case DATA -> "template text";
            case BLOCK_END -> "%}";
            case VARIABLE_END -> "}}";
            default -> "'" + text + "'";
        };
    }
}
