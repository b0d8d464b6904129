package io.layerskip.chat;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/**
 * Cuts a template into tokens, as Jinja does with {@code trim_blocks} and {@code lstrip_blocks}:
 * the newline after a block or comment goes, and so does the white space in front of one that
 * begins its line; a {@code -} inside the braces takes all white space on that side, a {@code +}
 * none. One newline at the very end of the template goes too.
 */
final class Lexer {

    private static final Pattern RAW = Pattern.compile("\\{%[-+]?\\s*raw\\s*(-%}\\s*|%})");
    private static final Pattern END_RAW =
            Pattern.compile("\\{%([-+]?)\\s*endraw\\s*(\\+%}|-%}\\s*|%}\\n?)");

    private static final List<String> OPERATORS =
            List.of(
                    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(",
                    ")", "{", "}", ">", "<", "=", ".", ":", "|", ",");

    private final String source;
    private final int[] lineStarts;
    private final List<Token> tokens = new ArrayList<>();
    private int at;

    private Lexer(String source) {
        this.source = source;
        this.lineStarts =
                IntStream.concat(
                                IntStream.of(0),
                                IntStream.range(1, source.length() + 1)
                                        .filter(i -> source.charAt(i - 1) == '\n'))
                        .toArray();
    }

    /** The tokens, of which the last one is {@link Token.Type#END}. */
    static List<Token> tokens(String template) throws ChatTemplateException {
        String source = template.replace("\r\n", "\n").replace('\r', '\n');
        Lexer lexer =
                new Lexer(
                        source.endsWith("\n") ? source.substring(0, source.length() - 1) : source);
        lexer.run();
        return lexer.tokens;
    }

    private void run() throws ChatTemplateException {
        while (at < source.length()) {
            int open = nextOpening();
            if (open < 0) {
                addData(at, source.substring(at));
                break;
            }
            Matcher raw = RAW.matcher(source).region(open, source.length());
            boolean isRaw = source.charAt(open + 1) == '%' && raw.lookingAt();
            char kind = source.charAt(open + 1);
            char sign = open + 2 < source.length() ? source.charAt(open + 2) : ' ';
            addData(at, strippedEnd(source.substring(at, open), sign, kind != '{'));
            at = open + (sign == '-' || sign == '+' ? 3 : 2);
            if (isRaw) {
                at = raw.end();
                raw(open);
            } else if (kind == '#') {
                comment(open);
            } else {
                tag(open, kind == '{');
            }
        }
        add(Token.Type.END, "", source.length());
    }

    private int nextOpening() {
        for (int i = at; i + 1 < source.length(); i++) {
            if (source.charAt(i) == '{') {
                char next = source.charAt(i + 1);
                if (next == '%' || next == '{' || next == '#') {
                    return i;
                }
            }
        }
        return -1;
    }

    /** The text before a tag, without what the tag takes of it. */
    private String strippedEnd(String text, char sign, boolean isBlock) {
        if (sign == '-') {
            return Whitespace.stripEnd(text);
        }
        if (sign == '+' || !isBlock) {
            return text;
        }
        int line = text.lastIndexOf('\n') + 1;
        boolean beginsLine = line > 0 || at == 0 || source.charAt(at - 1) == '\n';
        return beginsLine && Whitespace.isAll(text.substring(line))
                ? text.substring(0, line)
                : text;
    }

    private void comment(int open) throws ChatTemplateException {
        int close = source.indexOf("#}", at);
        if (close < 0) {
            throw failure(open, "a comment without its #}");
        }
        // The sign that opened the comment is not the one that closes it.
        char sign = close > at ? source.charAt(close - 1) : ' ';
        at = close + 2;
        afterBlock(sign);
    }

    private void raw(int open) throws ChatTemplateException {
        Matcher end = END_RAW.matcher(source);
        if (!end.find(at)) {
            throw failure(open, "a raw block without its endraw");
        }
        String sign = end.group(1);
        addData(
                at,
                strippedEnd(
                        source.substring(at, end.start()),
                        sign.isEmpty() ? ' ' : sign.charAt(0),
                        true));
        at = end.end();
    }

    /** Takes the white space after a tag that it is to take. */
    private void afterBlock(char sign) {
        if (sign == '-') {
            skipWhitespace();
        } else if (sign != '+' && at < source.length() && source.charAt(at) == '\n') {
            at++;
        }
    }

    private void tag(int open, boolean isVariable) throws ChatTemplateException {
        add(isVariable ? Token.Type.VARIABLE_BEGIN : Token.Type.BLOCK_BEGIN, "", open);
        String close = isVariable ? "}}" : "%}";
        Deque<String> brackets = new ArrayDeque<>();
        while (true) {
            skipWhitespace();
            if (at >= source.length()) {
                throw failure(open, "a tag without its " + close);
            }
            char first = source.charAt(at);
            boolean signed = first == '-' || first == '+' && !isVariable;
            if (brackets.isEmpty() && source.startsWith(close, signed ? at + 1 : at)) {
                add(isVariable ? Token.Type.VARIABLE_END : Token.Type.BLOCK_END, "", at);
                at += signed ? 3 : 2;
                if (!isVariable) {
                    afterBlock(first);
                } else if (first == '-') {
                    skipWhitespace();
                }
                return;
            }
            token(first, brackets);
        }
    }

    private void token(char first, Deque<String> brackets) throws ChatTemplateException {
        if (first >= '0' && first <= '9') {
            number();
        } else if (first == '_' || Character.isUnicodeIdentifierStart(codePoint())) {
            name();
        } else if (first == '"' || first == '\'') {
            string(first);
        } else {
            operator(brackets);
        }
    }

    private int codePoint() {
        return source.codePointAt(at);
    }

    private void name() {
        int start = at;
        while (at < source.length() && Character.isUnicodeIdentifierPart(codePoint())) {
            at += Character.charCount(codePoint());
        }
        add(Token.Type.NAME, source.substring(start, at), start);
    }

    private void number() throws ChatTemplateException {
        int start = at;
        skipDigits();
        boolean isAttribute = start > 0 && source.charAt(start - 1) == '.';
        boolean isFloat = false;
        if (!isAttribute) {
            if (peek(0) == '.' && isDigit(peek(1))) {
                isFloat = true;
                at++;
                skipDigits();
            }
            if (peek(0) == 'e' || peek(0) == 'E') {
                int sign = peek(1) == '+' || peek(1) == '-' ? 1 : 0;
                if (isDigit(peek(1 + sign))) {
                    isFloat = true;
                    at += 1 + sign;
                    skipDigits();
                }
            }
        }
        String digits = source.substring(start, at).replace("_", "");
        boolean leadingZero = !isFloat && digits.length() > 1 && digits.charAt(0) == '0';
        if (leadingZero || Character.isUnicodeIdentifierPart(peek(0))) {
            throw failure(start, "a number that is not decimal");
        }
        add(isFloat ? Token.Type.FLOAT : Token.Type.INTEGER, digits, start);
    }

    private void skipDigits() {
        while (isDigit(peek(0)) || peek(0) == '_' && isDigit(peek(1))) {
            at++;
        }
    }

    private char peek(int ahead) {
        return at + ahead < source.length() ? source.charAt(at + ahead) : '\0';
    }

    private static boolean isDigit(char c) {
        return c >= '0' && c <= '9';
    }

    private void string(char quote) throws ChatTemplateException {
        int start = at++;
        StringBuilder value = new StringBuilder();
        while (at < source.length() && source.charAt(at) != quote) {
            char c = source.charAt(at++);
            if (c == '\\') {
                escape(value, start);
            } else {
                value.append(c);
            }
        }
        if (at >= source.length()) {
            throw failure(start, "a string without its " + quote);
        }
        at++;
        add(Token.Type.STRING, value.toString(), start);
    }

    /** Reads what follows a backslash, as Python's unicode-escape does. */
    private void escape(StringBuilder value, int start) throws ChatTemplateException {
        if (at >= source.length()) {
            return;
        }
        char c = source.charAt(at++);
        switch (c) {
            case '\n' -> {}
            case '\\', '\'', '"' -> value.append(c);
            case 'a' -> value.append('\u0007');
            case 'b' -> value.append('\b');
            case 'f' -> value.append('\f');
            case 'n' -> value.append('\n');
            case 'r' -> value.append('\r');
            case 't' -> value.append('\t');
            case 'v' -> value.append('\u000b');
            case 'x' -> value.appendCodePoint(hexadecimal(2, start));
            case 'u' -> value.appendCodePoint(hexadecimal(4, start));
            case 'U' -> value.appendCodePoint(hexadecimal(8, start));
            case 'N' -> throw failure(at - 2, "the escape \\N");
            default -> {
                if (c >= '0' && c <= '7') {
                    at--;
                    value.append((char) octal());
                } else {
                    value.append('\\').append(c);
                }
            }
        }
    }

    private int octal() {
        int value = 0;
        for (int i = 0; i < 3 && peek(0) >= '0' && peek(0) <= '7'; i++) {
            value = value * 8 + (source.charAt(at++) - '0');
        }
        return value;
    }

    private int hexadecimal(int digits, int start) throws ChatTemplateException {
        long value = 0;
        for (int i = 0; i < digits; i++) {
            int digit = Character.digit(peek(0), 16);
            if (digit < 0 || peek(0) > 'f') {
                throw failure(start, "a string with a broken escape");
            }
            value = value * 16 + digit;
            at++;
        }
        boolean isSurrogate = value >= Character.MIN_SURROGATE && value <= Character.MAX_SURROGATE;
        if (value > Character.MAX_CODE_POINT || isSurrogate) {
            throw failure(start, "a string with an escape that is no character");
        }
        return (int) value;
    }

    private void operator(Deque<String> brackets) throws ChatTemplateException {
        Optional<String> found =
                OPERATORS.stream().filter(operator -> source.startsWith(operator, at)).findFirst();
        if (found.isEmpty()) {
            throw failure(
                    at, "unexpected character '%s'".formatted(Character.toString(codePoint())));
        }
        String operator = found.get();
        switch (operator) {
            case "(" -> brackets.push(")");
            case "[" -> brackets.push("]");
            case "{" -> brackets.push("}");
            case ")", "]", "}" -> {
                if (brackets.isEmpty() || !brackets.pop().equals(operator)) {
                    throw failure(at, "unexpected '%s'".formatted(operator));
                }
            }
            default -> {}
        }
        add(Token.Type.OPERATOR, operator, at);
        at += operator.length();
    }

    private void skipWhitespace() {
        while (at < source.length() && Whitespace.is(source.charAt(at))) {
            at++;
        }
    }

    private void addData(int offset, String text) {
        if (!text.isEmpty()) {
            add(Token.Type.DATA, text, offset);
        }
    }

    private void add(Token.Type type, String text, int offset) {
        tokens.add(new Token(type, text, position(offset)));
    }

    private Position position(int offset) {
        int found = Arrays.binarySearch(lineStarts, offset);
        int line = found >= 0 ? found : -found - 2;
        return new Position(line + 1, offset - lineStarts[line] + 1);
    }

    private ChatTemplateException failure(int offset, String message) {
        return ChatTemplateException.at(position(offset), message);
    }
}
