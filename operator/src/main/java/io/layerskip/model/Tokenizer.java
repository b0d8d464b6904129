package io.layerskip.model;

import org.apache.flink.annotation.PublicEvolving;

/**
 * Text to token ids and back, by the checkpoint's tokenizer.json. Safe for use by several threads;
 * after {@link #close()}, encoding and decoding throw {@link IllegalStateException}.
 */
@PublicEvolving
public interface Tokenizer extends AutoCloseable {

    /**
     * The ids of a prompt, with the special tokens that the tokenizer puts around it; all of them,
     * however long the prompt.
     */
    int[] encode(String text);

    /**
     * Whether this tokenizer takes marked text: the checkpoint has a chat template, and special
     * tokens can be told from text.
     */
    boolean encodesMarkedText();

    /**
     * The ids of a text, with special tokens only where its marks allow them, and none around it.
     * Apart from those tokens it is tokenized as a whole.
     *
     * @throws UnsupportedOperationException if this tokenizer does not take marked text
     */
    int[] encode(MarkedText text);

    /**
     * A lower bound of the number of tokens that {@link #encode} makes of a text, found without
     * encoding it: no token is longer than the vocabulary's longest. 0 where nothing can be said.
     */
    int leastTokens(String text);

    /**
     * Whether a token stands for a byte inside a UTF-8 character. A decoder that finds such bytes
     * without the first one gives up the whole run of bytes that they stand in, so nothing that is
     * decoded should begin with one.
     */
    boolean continuesCharacter(int id);

    /**
     * The text of ids[from, to), special tokens left out, undecodable bytes as U+FFFD.
     *
     * @throws IndexOutOfBoundsException if the range does not lie within the ids
     */
    String decode(int[] ids, int from, int to);

    /** Frees the tokenizer's native memory; further calls do nothing. */
    @Override
    void close();
}
