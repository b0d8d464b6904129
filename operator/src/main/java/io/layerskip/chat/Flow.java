package io.layerskip.chat;

/** How it goes on after a statement: with the next one, or out of or on with the loop. */
enum Flow {
    ON,
    BREAK,
    CONTINUE
}
