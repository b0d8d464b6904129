package io.layerskip.chat;

import java.util.List;

/** The tokens of a template, one after the other; the last one, its end, stays. */
final class TokenStream {

    /** Tags within tags and brackets within brackets; a parser of descent needs a bound. */
    private static final int MAX_NESTING = 100;

    private final List<Token> tokens;
    private int at;
    private int nesting;

    TokenStream(List<Token> tokens) {
        this.tokens = tokens;
    }

    Token current() {
        return tokens.get(at);
    }

    Token following() {
        return tokens.get(Math.min(at + 1, tokens.size() - 1));
    }

    Token next() {
        Token token = current();
        at = Math.min(at + 1, tokens.size() - 1);
        return token;
    }

    /** Takes the operator if it stands here. */
    boolean skipOperator(String operator) {
        boolean isHere = current().isOperator(operator);
        if (isHere) {
            next();
        }
        return isHere;
    }

    /** Takes the name if it stands here. */
    boolean skipName(String name) {
        boolean isHere = current().isName(name);
        if (isHere) {
            next();
        }
        return isHere;
    }

    Token expect(Token.Type type, String expected) throws ChatTemplateException {
        if (current().type() != type) {
            throw unexpected(expected);
        }
        return next();
    }

    void expectOperator(String operator) throws ChatTemplateException {
        if (!skipOperator(operator)) {
            throw unexpected("'" + operator + "'");
        }
    }

    void expectName(String name) throws ChatTemplateException {
        if (!skipName(name)) {
            throw unexpected("'" + name + "'");
        }
    }

    ChatTemplateException unexpected(String expected) {
        return failure("found %s, expected %s".formatted(current().shown(), expected));
    }

    ChatTemplateException failure(String message) {
        return ChatTemplateException.at(current().position(), message);
    }

    /** Goes one level deeper; {@link #leave} ends it. */
    void enter() throws ChatTemplateException {
        if (++nesting > MAX_NESTING) {
            throw failure("more than %d levels".formatted(MAX_NESTING));
        }
    }

    void leave() {
        nesting--;
    }
}
