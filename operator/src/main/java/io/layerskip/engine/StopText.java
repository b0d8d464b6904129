package io.layerskip.engine;

import java.util.OptionalInt;

/**
 * Finds a stop text in a text that comes in pieces, in time linear in that text: the automaton of
 * Knuth, Morris and Pratt (Fast Pattern Matching in Strings, 1977). Not thread-safe.
 */
final class StopText {

    private final CharSequence stop;

    /** At i: how much of the stop text's beginning its characters [1, i] end with. */
    private final int[] borders;

    /** How much of the stop text's beginning the text ends with. */
    private int begun;

    /**
     * @param stop not empty
     */
    StopText(CharSequence stop) {
        this.stop = stop;
        this.borders = new int[stop.length()];
        for (int i = 1; i < borders.length; i++) {
            borders[i] = after(borders[i - 1], stop.charAt(i));
        }
    }

    /**
     * Takes the next piece of the text. None may follow once the stop text was found.
     *
     * @return index in the piece of the stop text's first character, negative if that was in an
     *     earlier piece; empty if the stop text does not end in this piece
     */
    OptionalInt firstIn(String piece) {
        for (int i = 0; i < piece.length(); i++) {
            begun = after(begun, piece.charAt(i));
            if (begun == borders.length) {
                return OptionalInt.of(i + 1 - begun);
            }
        }
        return OptionalInt.empty();
    }

    /** Takes the next piece of the text where the stop text counts only if it ends later. */
    void pass(String piece) {
        for (int i = 0; i < piece.length(); i++) {
            begun = after(begun, piece.charAt(i));
            if (begun == borders.length) {
                begun = borders[begun - 1];
            }
        }
    }

    /** How many characters at the end of the text may turn out to belong to the stop text. */
    int begun() {
        return begun;
    }

    /** How much of the beginning a text ends with after one more character. */
    private int after(int begun, char next) {
        int length = begun;
        while (length > 0 && stop.charAt(length) != next) {
            length = borders[length - 1];
        }
        return stop.charAt(length) == next ? length + 1 : 0;
    }
}
