package io.layerskip.chat;

/** A place in a template's source; lines and columns count from 1. */
record Position(int line, int column) {

    @Override
    public String toString() {
        return "line %d, column %d".formatted(line, column);
    }
}
