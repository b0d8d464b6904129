package io.layerskip.model;

import ai.djl.huggingface.tokenizers.Encoding;
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
    static final String FILE = "tokenizer.json";
    static final int MAX_FILE_BYTES = 256 << 20;

    private static final Map<String, String> OPTIONS =
            Map.of("addSpecialTokens", "true", "truncation", "false", "padding", "false");

    private final HuggingFaceTokenizer tokenizer;

    /** For chats; it may share its native tokenizer with the one for plain prompts. */
    private final Optional<MarkedTokenizer> marked;

    /** Ids that the tokenizer does not know, so that it finds none of them in a text. */
    private final BitSet unknown;

    /** Held for writing to close: native memory must not go while another thread is in it. */
    private final ReadWriteLock lock = new ReentrantReadWriteLock();

    private final TokenCountBound bound;
    private final BitSet continuationBytes;

    private DjlTokenizer(
            HuggingFaceTokenizer tokenizer,
            Optional<MarkedTokenizer> marked,
            BitSet unknown,
            TokenizerVocabulary vocabulary) {
        this.tokenizer = tokenizer;
        this.marked = marked;
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
        boolean isForChats =
                config.hasChatTemplate()
                        || Files.exists(file.resolveSibling(ChatSettings.TEMPLATE_FILE));
        NativeTokenizerLibrary.load();
        DjlTokenizer tokenizer;
        try {
            tokenizer =
                    open(
                            json,
                            vocabulary,
                            postProcessor,
                            splitSpecialTokens,
                            isForChats
                                    ? MarkedTokenizer.open(json, vocabulary, postProcessor)
                                    : Optional.empty());
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

    /** A tokenizer with marks also serves where special tokens in a prompt are text. */
    private static DjlTokenizer open(
            byte[] json,
            TokenizerVocabulary vocabulary,
            Optional<ObjectNode> postProcessor,
            boolean splitSpecialTokens,
            Optional<MarkedTokenizer> marked)
            throws IOException {
        BitSet unknown = vocabulary.hiddenTokens(splitSpecialTokens);
        if (splitSpecialTokens && marked.isPresent()) {
            return new DjlTokenizer(marked.get().tokenizer(), marked, unknown, vocabulary);
        }
        TokenizerEdits edits = new TokenizerEdits(unknown, Map.of(), postProcessor);
        try {
            HuggingFaceTokenizer tokenizer =
                    newTokenizer(
                            edits.isEmpty() ? json : edits.apply(json, vocabulary.addedTokens()));
            return new DjlTokenizer(tokenizer, marked, unknown, vocabulary);
        } catch (IOException | RuntimeException e) {
            marked.ifPresent(MarkedTokenizer::close);
            throw e;
        }
    }

    static HuggingFaceTokenizer newTokenizer(byte[] json) throws IOException {
        return HuggingFaceTokenizer.newInstance(new ByteArrayInputStream(json), OPTIONS);
    }

    static int[] ids(Encoding encoding) {
        return Arrays.stream(encoding.getIds()).mapToInt(Math::toIntExact).toArray();
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
            return ids(tokenizer.encode(text));
        } finally {
            lock.readLock().unlock();
        }
    }

    @Override
    public boolean encodesMarkedText() {
        return marked.isPresent();
    }

    @Override
    public int[] encode(MarkedText text) {
        lock.readLock().lock();
        try {
            return marked.orElseThrow(UnsupportedOperationException::new).encode(text);
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
            marked.map(MarkedTokenizer::tokenizer)
                    .filter(other -> other != tokenizer)
                    .ifPresent(HuggingFaceTokenizer::close);
        } finally {
            lock.writeLock().unlock();
        }
    }
}
