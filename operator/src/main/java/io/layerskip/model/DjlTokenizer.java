package io.layerskip.model;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/** A tokenizer.json run by Hugging Face's own tokenizers library, through DJL. */
final class DjlTokenizer implements Tokenizer {

    private static final String SENTENCE_PIECE = "tokenizer.model";
    private static final int MAX_FILE_BYTES = 256 << 20;

    private static final Map<String, String> OPTIONS =
            Map.of("addSpecialTokens", "true", "truncation", "false", "padding", "false");

    private final HuggingFaceTokenizer tokenizer;

    /** Ids that the tokenizer does not know, so that it finds none of them in a text. */
    private final BitSet unknown;

    /** Held for writing to close: native memory must not go while another thread is in it. */
    private final ReadWriteLock lock = new ReentrantReadWriteLock();

    private final TokenCountBound bound;
    private final BitSet continuationBytes;

    private DjlTokenizer(
            HuggingFaceTokenizer tokenizer, BitSet unknown, TokenizerVocabulary vocabulary) {
        this.tokenizer = tokenizer;
        this.unknown = unknown;
        this.bound = vocabulary.bound();
        this.continuationBytes = vocabulary.continuationBytes();
    }

    /**
     * Reads the file, and the tokenizer_config.json beside it.
     *
     * @param vocabSize the number of ids that the model has
     * @param splitSpecialTokens whether the text of a special token is text like any other
     * @throws CheckpointException if the file is missing, not a tokenizer, or has ids that the
     *     model has not
     */
    static DjlTokenizer open(Path file, int vocabSize, boolean splitSpecialTokens)
            throws CheckpointException {
        requireTokenizerJson(file);
        byte[] json = BoundedFile.read(file, MAX_FILE_BYTES);
        String name = file.getFileName().toString();
        TokenizerConfig config = TokenizerConfig.beside(file);
        TokenizerVocabulary vocabulary =
                TokenizerVocabulary.read(name, json, vocabSize, config.padToken());
        Optional<ObjectNode> postProcessor = config.postProcessor(vocabulary.addedTokens());
        BitSet unknown = vocabulary.hiddenTokens(splitSpecialTokens);
        NativeTokenizerLibrary.load();
        DjlTokenizer tokenizer;
        try {
            byte[] used =
                    unknown.isEmpty() && postProcessor.isEmpty()
                            ? json
                            : TokenizerEdits.apply(json, unknown::get, postProcessor);
            tokenizer =
                    new DjlTokenizer(
                            HuggingFaceTokenizer.newInstance(
                                    new ByteArrayInputStream(used), OPTIONS),
                            unknown,
                            vocabulary);
        } catch (IOException | RuntimeException e) {
            throw new CheckpointException(
                    "%s is not a tokenizer: %s".formatted(name, e.getMessage()), e);
        }
        int[] specialTokens = tokenizer.encode("");
        if (Arrays.stream(specialTokens).anyMatch(id -> id < 0 || id >= vocabSize)) {
            tokenizer.close();
            throw new CheckpointException(
                    "%s: post_processor puts the tokens %s around a prompt, config.json has vocab_size %d"
                            .formatted(name, Arrays.toString(specialTokens), vocabSize));
        }
        return tokenizer;
    }

    private static void requireTokenizerJson(Path file) throws CheckpointException {
        if (!Files.exists(file) && Files.exists(file.resolveSibling(SENTENCE_PIECE))) {
            Path folder = file.getParent();
            throw new CheckpointException(
                    ("%s is missing from %s; its %s is not read. transformers makes one of the other:"
                                    + " python -c \"from transformers import AutoTokenizer;"
                                    + " AutoTokenizer.from_pretrained('%s').save_pretrained('%s')\"")
                            .formatted(file.getFileName(), folder, SENTENCE_PIECE, folder, folder));
        }
    }

    @Override
    public int[] encode(String text) {
        lock.readLock().lock();
        try {
            return Arrays.stream(tokenizer.encode(text).getIds())
                    .mapToInt(Math::toIntExact)
                    .toArray();
        } finally {
            lock.readLock().unlock();
        }
    }

    @Override
    public boolean continuesCharacter(int id) {
        return continuationBytes.get(id);
    }

    @Override
    public int leastTokens(String text) {
        return bound.leastTokens(text);
    }

    @Override
    public String decode(int[] ids, int from, int to) {
        Objects.checkFromToIndex(from, to, ids.length);
        lock.readLock().lock();
        try {
            return tokenizer.decode(
                    Arrays.stream(ids, from, to)
                            .filter(id -> !unknown.get(id))
                            .asLongStream()
                            .toArray(),
                    true);
        } finally {
            lock.readLock().unlock();
        }
    }

    @Override
    public void close() {
        lock.writeLock().lock();
        try {
            tokenizer.close();
        } finally {
            lock.writeLock().unlock();
        }
    }
}
