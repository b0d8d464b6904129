package io.layerskip.engine;

import org.apache.flink.annotation.PublicEvolving;

/**
 * A piece of a completion as it is written: whole characters, never part of a stop text.
 *
 * @param text what to append
 * @param drafted whether the early layers proposed the token that completed it
 */
@PublicEvolving
public record TextChunk(String text, boolean drafted) {}
