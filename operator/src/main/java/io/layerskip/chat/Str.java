package io.layerskip.chat;

import io.layerskip.model.MarkedText;
import java.util.Arrays;
import java.util.Locale;
import java.util.function.IntPredicate;
import java.util.function.UnaryOperator;

/**
 * A string that knows, character by character, who wrote it: the template, or whoever sent the
 * messages. Whatever a template does with strings, a part keeps its origin: only what the template
 * wrote can be a special token.
 *
 * <p>Immutable. Two of them are equal if their texts are, as in Python; offsets are in UTF-16
 * units.
 */
final class Str {

    static final Str EMPTY = new Str("", false, new int[0]);

    /** Its small letter is another one at the end of a word. */
    private static final int FINAL_SIGMA = 0x3a3;

    private final String text;
    private final boolean beginsAsMessage;

    /** Where the origin changes, ascending, each within (0, length). */
    private final int[] changes;

    private Str(String text, boolean beginsAsMessage, int[] changes) {
        this.text = text;
        this.beginsAsMessage = beginsAsMessage;
        this.changes = changes;
    }

    /** What the template wrote. */
    static Str ofTemplate(String text) {
        return new Str(text, false, new int[0]);
    }

    /** What came with the messages. */
    static Str ofMessage(String text) {
        return new Str(text, true, new int[0]);
    }

    String text() {
        return text;
    }

    boolean isEmpty() {
        return text.isEmpty();
    }

    /** The number of Unicode characters. */
    int size() {
        return text.codePointCount(0, text.length());
    }

    /** Where the Unicode character of that index begins. */
    int offset(int index) {
        return text.offsetByCodePoints(0, index);
    }

    Str substring(int from, int to) {
        return from == 0 && to == text.length()
                ? this
                : new Builder().append(this, from, to).build();
    }

    Str plus(Str other) {
        return new Builder().append(this).append(other).build();
    }

    /** Changes the letters; the text is changed as a whole if it keeps its length. */
    private Str mapped(UnaryOperator<String> change) {
        String whole = change.apply(text);
        if (whole.length() == text.length()) {
            return new Str(whole, beginsAsMessage, changes);
        }
        Builder mapped = new Builder();
        int from = 0;
        for (int i = 0; i <= changes.length; i++) {
            int to = i < changes.length ? changes[i] : text.length();
            mapped.append(change.apply(text.substring(from, to)), isMessage(i));
            from = to;
        }
        return mapped.build();
    }

    Str upper() {
        return mapped(part -> part.toUpperCase(Locale.ROOT));
    }

    Str lower() {
        return mapped(part -> part.toLowerCase(Locale.ROOT));
    }

    /**
     * With the first letters of words changed, and the others in lower case.
     *
     * @param isFirst says so by the character before a letter, -1 if there is none
     */
    Str recased(IntPredicate isFirst, UnaryOperator<String> change) {
        Builder recased = new Builder();
        int previous = -1;
        for (int i = 0; i < text.length(); ) {
            int c = text.codePointAt(i);
            if (c == FINAL_SIGMA) {
                throw new RenderError(
                        "the chat template changes the case of a sigma, which is not supported");
            }
            String letter = Character.toString(c);
            recased.append(
                    isFirst.test(previous) ? change.apply(letter) : letter.toLowerCase(Locale.ROOT),
                    isMessageAt(i));
            previous = c;
            i += letter.length();
        }
        return recased.build();
    }

    /** Whether the character at an offset came with the messages. */
    boolean isMessageAt(int offset) {
        return isMessage(run(offset));
    }

    private int run(int offset) {
        int found = Arrays.binarySearch(changes, offset);
        return found >= 0 ? found + 1 : -found - 1;
    }

    private boolean isMessage(int run) {
        return beginsAsMessage ^ (run & 1) == 1;
    }

    MarkedText toMarkedText() {
        MarkedText.Builder marked = new MarkedText.Builder();
        int from = 0;
        for (int i = 0; i <= changes.length; i++) {
            int to = i < changes.length ? changes[i] : text.length();
            marked.add(text.substring(from, to), !isMessage(i));
            from = to;
        }
        return marked.build();
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Str that && text.equals(that.text);
    }

    @Override
    public int hashCode() {
        return text.hashCode();
    }

    @Override
    public String toString() {
        return text;
    }

    /** Puts strings together. */
    static final class Builder {

        private final StringBuilder text = new StringBuilder();
        private boolean beginsAsMessage;
        private boolean endsAsMessage;
        private int[] changes = new int[8];
        private int count;

        Builder append(Str other) {
            return append(other, 0, other.text.length());
        }

        Builder append(Str other, int from, int to) {
            int start = from;
            for (int run = other.run(from); start < to; run++) {
                int end = run < other.changes.length ? Math.min(other.changes[run], to) : to;
                append(other.text, start, end, other.isMessage(run));
                start = end;
            }
            return this;
        }

        /** Appends what the template wrote. */
        Builder append(String written) {
            return append(written, false);
        }

        Builder append(String part, boolean isMessage) {
            return append(part, 0, part.length(), isMessage);
        }

        private Builder append(String source, int from, int to, boolean isMessage) {
            if (from == to) {
                return this;
            }
            if (text.length() == 0) {
                beginsAsMessage = isMessage;
            } else if (endsAsMessage != isMessage) {
                if (count == changes.length) {
                    changes = Arrays.copyOf(changes, 2 * count);
                }
                changes[count++] = text.length();
            }
            endsAsMessage = isMessage;
            text.append(source, from, to);
            return this;
        }

        int length() {
            return text.length();
        }

        Str build() {
            return count == 0 && text.length() == 0
                    ? EMPTY
                    : new Str(text.toString(), beginsAsMessage, Arrays.copyOf(changes, count));
        }
    }
}
