package io.layerskip.chat;

/**
 * What one rendering may take. A template is untrusted, and so are the messages: neither may keep a
 * thread busy or fill the memory.
 */
final class Budget {

    /** Evaluated nodes, elements gone through, and texts by their lengths. */
    static final long MAX_STEPS = 10_000_000;

    /** Of any text that a template makes, and of what it renders altogether, in UTF-16 units. */
    static final int MAX_CHARACTERS = 16 << 20;

    /**
     * Nodes within nodes, macros within macros and values within values; a third of what a thread's
     * stack of 1 MiB holds.
     */
    static final int MAX_DEPTH = 300;

    private static final int CHARACTERS_A_STEP = 16;

    private final long steps;
    private long stepsLeft;
    private int depth;

    /** A budget of {@value #MAX_STEPS} steps. */
    Budget() {
        this(MAX_STEPS);
    }

    Budget(long steps) {
        this.steps = steps;
        this.stepsLeft = steps;
    }

    void take(long taken) {
        stepsLeft -= taken;
        if (stepsLeft < 0) {
            throw new RenderError(
                    "the chat template takes more than %d steps for these messages"
                            .formatted(steps));
        }
    }

    /** Takes what going through a text of that length costs; refuses one that is too long. */
    void takeText(long characters) {
        checkLength(characters);
        take(1 + characters / CHARACTERS_A_STEP);
    }

    /** Takes what looking for a part everywhere in a text may cost. */
    void takeSearch(Str text, String part) {
        long compared = 1 + text.text().length() / CHARACTERS_A_STEP;
        take(compared * (1 + part.length() / CHARACTERS_A_STEP));
    }

    /** Refuses a text of that length if it is too long. */
    void checkLength(long characters) {
        if (characters > MAX_CHARACTERS) {
            throw new RenderError(
                    "the chat template makes a text of more than %d characters of these messages"
                            .formatted(MAX_CHARACTERS));
        }
    }

    /** Goes one level deeper; {@link #leave} ends it. */
    void enter() {
        if (++depth > MAX_DEPTH) {
            throw new RenderError(
                    "the chat template nests more than %d levels for these messages"
                            .formatted(MAX_DEPTH));
        }
    }

    void leave() {
        depth--;
    }
}
