package io.layerskip.model;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A tokenizer to which the text of a special token is text like any other, and its mark is that
 * token; see {@link SpecialTokenMarks}. Not thread-safe with regard to {@link #close()}.
 */
final class MarkedTokenizer implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(MarkedTokenizer.class);

    private final HuggingFaceTokenizer tokenizer;
    private final SpecialTokenMarks marks;

    private MarkedTokenizer(HuggingFaceTokenizer tokenizer, SpecialTokenMarks marks) {
        this.tokenizer = tokenizer;
        this.marks = marks;
    }

    /**
     * Opens a tokenizer with marks; empty, with a warning in the log, where a mark or an added
     * token does not come out as its token.
     *
     * @param json a tokenizer.json
     * @throws IOException if it is no tokenizer
     */
    static Optional<MarkedTokenizer> open(
            byte[] json, TokenizerVocabulary vocabulary, Optional<ObjectNode> postProcessor)
            throws IOException {
        Map<String, Integer> addedTokens = new HashMap<>(vocabulary.addedTokens());
        BitSet hidden = vocabulary.hiddenTokens(false);
        addedTokens.values().removeIf(hidden::get);
        SpecialTokenMarks marks = new SpecialTokenMarks(addedTokens, vocabulary.specialTokens());
        TokenizerEdits edits = new TokenizerEdits(hidden, marks.byId(), postProcessor);
        HuggingFaceTokenizer tokenizer;
        try {
            tokenizer = DjlTokenizer.newTokenizer(edits.apply(json, addedTokens));
        } catch (RuntimeException e) {
            // Whoever opens the file as it is finds out if it is no tokenizer at all.
            LOG.warn("Chat requests are refused: the tokenizer cannot be opened with marks", e);
            return Optional.empty();
        }
        MarkedTokenizer marked = new MarkedTokenizer(tokenizer, marks);
        try {
            if (marked.findsItsMarks()) {
                return Optional.of(marked);
            }
        } catch (RuntimeException e) {
            marked.close();
            throw e;
        }
        marked.close();
        return Optional.empty();
    }

    private boolean findsItsMarks() {
        for (Map.Entry<String, Integer> token : marks.ids().entrySet()) {
            int[] ids = DjlTokenizer.ids(tokenizer.encode(token.getKey(), false, false));
            if (!Arrays.equals(ids, new int[] {token.getValue()})) {
                LOG.warn(
                        "Chat requests are refused: the tokenizer makes {} of a text for token {}",
                        Arrays.toString(ids),
                        token.getValue());
                return false;
            }
        }
        return true;
    }

    /** For plain prompts, in which no special token is found. */
    HuggingFaceTokenizer tokenizer() {
        return tokenizer;
    }

    /** The ids of a text, without special tokens around it. */
    int[] encode(MarkedText text) {
        return DjlTokenizer.ids(tokenizer.encode(marks.mark(text), false, false));
    }

    @Override
    public void close() {
        tokenizer.close();
    }
}
