package io.layerskip.chat;

/** White space as Python's {@code str.isspace} has it. */
final class Whitespace {

    private Whitespace() {}

    static boolean is(int c) {
        return c >= '\t' && c <= '\r'
                || c >= 0x1c && c <= ' '
                || c == 0x85
                || c == 0xa0
                || c == 0x1680
                || c >= 0x2000 && c <= 0x200a
                || c == 0x2028
                || c == 0x2029
                || c == 0x202f
                || c == 0x205f
                || c == 0x3000;
    }

    static boolean isAll(String text) {
        return text.chars().allMatch(Whitespace::is);
    }

    /** The text without the white space at its end. */
    static String stripEnd(String text) {
        int end = text.length();
        while (end > 0 && is(text.charAt(end - 1))) {
            end--;
        }
        return text.substring(0, end);
    }
}
