package io.layerskip.model;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.apache.flink.annotation.PublicEvolving;

/**
 * A Hugging Face folder, opened and checked: config.json, generation_config.json where there is
 * one, tokenizer.json, and model.safetensors or its shards.
 *
 * <p>{@link #close()} frees the tokenizer. The embedding's mapping has no explicit end: it goes
 * when its buffer is collected as garbage. The files must not be written to while they are in use:
 * of one that becomes shorter, reading a row that is gone throws {@link InternalError}; one that is
 * written over changes the model, unnoticed. Files that are replaced (renamed over) stay as they
 * were for whoever has them open.
 */
@PublicEvolving
public final class Checkpoint implements AutoCloseable {

    /** Of each tensor. */
    private static final int HASHED_BYTES = 4096;

    private final Path folder;
    private final FolderStamp stamp;
    private final ModelConfig config;
    private final Map<String, Weight> weights;
    private final WeightRows embedding;
    private final Tokenizer tokenizer;
    private final String tokenizerFingerprint;

    /** Mapped when it is first asked for: not every precision needs it. */
    private Optional<WeightRows> head = Optional.empty();

    private Checkpoint(
            Path folder,
            FolderStamp stamp,
            ModelConfig config,
            Map<String, Weight> weights,
            WeightRows embedding,
            Tokenizer tokenizer,
            String tokenizerFingerprint) {
        this.folder = folder;
        this.stamp = stamp;
        this.config = config;
        this.weights = weights;
        this.embedding = embedding;
        this.tokenizer = tokenizer;
        this.tokenizerFingerprint = tokenizerFingerprint;
    }

    /**
     * Opens a folder; the text of a special token is text like any other.
     *
     * @throws CheckpointException see {@link #open(Path, boolean)}
     */
    public static Checkpoint open(Path folder) throws CheckpointException {
        return open(folder, true);
    }

    /**
     * Opens a folder.
     *
     * @param splitSpecialTokens whether the text of a special token in a prompt is text like any
     *     other, and not that token
     * @throws CheckpointException if a file is missing, damaged, or describes a model that is not
     *     served; the message names the file, what was found and what was expected
     */
    public static Checkpoint open(Path folder, boolean splitSpecialTokens)
            throws CheckpointException {
        if (!Files.isDirectory(folder)) {
            throw new CheckpointException(
                    "%s is not a folder, expected a checkpoint as downloaded from Hugging Face"
                            .formatted(folder));
        }
        FolderStamp stamp = stamp(folder);
        ModelConfig config = ModelConfigReader.read(folder);
        WeightFiles files = WeightFiles.open(folder);
        Map<String, Weight> weights = new HashMap<>();
        for (Map.Entry<String, List<Long>> tensor : LlamaTensors.shapes(config).entrySet()) {
            weights.put(tensor.getKey(), files.locate(tensor.getKey(), tensor.getValue()));
        }
        WeightRows embedding = WeightRows.map(weights.get(LlamaTensors.EMBEDDING));
        Tokenizer tokenizer =
                DjlTokenizer.open(
                        folder.resolve(DjlTokenizer.FILE), config.vocabSize(), splitSpecialTokens);
        try {
            return new Checkpoint(
                    folder,
                    stamp,
                    config,
                    weights,
                    embedding,
                    tokenizer,
                    tokenizerFingerprint(folder));
        } catch (IOException e) {
            tokenizer.close();
            throw new CheckpointException(
                    "the tokenizer in %s cannot be read: %s".formatted(folder, e), e);
        }
    }

    private static FolderStamp stamp(Path folder) throws CheckpointException {
        try {
            return FolderStamp.of(folder);
        } catch (IOException e) {
            throw new CheckpointException("%s cannot be read: %s".formatted(folder, e), e);
        }
    }

    private static String tokenizerFingerprint(Path folder) throws IOException {
        Sha256 digest = new Sha256();
        for (String name : List.of(DjlTokenizer.FILE, TokenizerConfig.FILE)) {
            Path file = folder.resolve(name);
            if (Files.exists(file)) {
                digest.update(name).update(file, 0, Files.size(file));
            }
        }
        return digest.hex();
    }

    /** The folder that was opened. */
    public Path folder() {
        return folder;
    }

    /** The folder's files as they were when it was opened. */
    public FolderStamp stamp() {
        return stamp;
    }

    /** The architecture. */
    public ModelConfig config() {
        return config;
    }

    /**
     * Where the tensor of that name lies.
     *
     * @throws IllegalArgumentException if config.json implies no tensor of that name
     */
    public Weight weight(String name) {
        Weight weight = weights.get(name);
        if (weight == null) {
            throw new IllegalArgumentException("config.json implies no tensor " + name);
        }
        return weight;
    }

    /**
     * The token embedding [vocab, hidden]. No session holds it: looking a row up is a copy, and
     * only the pages of tokens that occur are ever in memory.
     */
    public WeightRows embedding() {
        return embedding;
    }

    /**
     * The language model head [vocab, hidden], mapped once; the embedding where the two are tied.
     *
     * @throws CheckpointException if it cannot be mapped
     */
    public synchronized WeightRows head() throws CheckpointException {
        if (head.isEmpty()) {
            String name = LlamaTensors.head(config);
            head =
                    Optional.of(
                            name.equals(LlamaTensors.EMBEDDING)
                                    ? embedding
                                    : WeightRows.map(weight(name)));
        }
        return head.get();
    }

    /**
     * The weights of the norm before the head, [hidden].
     *
     * @throws CheckpointException if they cannot be read
     */
    public float[] finalNorm() throws CheckpointException {
        return WeightRows.vector(weight(LlamaTensors.FINAL_NORM));
    }

    /** The tokenizer; usable until {@link #close()}. */
    public Tokenizer tokenizer() {
        return tokenizer;
    }

    /**
     * What the folder says of chats; empty if it has no chat template. Reads the files again.
     *
     * @throws CheckpointException if a file or field is not what it should be
     */
    public Optional<ChatSettings> chatSettings() throws CheckpointException {
        return ChatSettings.read(folder);
    }

    /**
     * A hash of the architecture and of the beginning of every tensor, as hexadecimal digits: tells
     * models apart that were trained, or merged, differently, without reading all of their weights.
     *
     * @throws IOException if a file cannot be read
     */
    public String fingerprint() throws IOException {
        Sha256 digest = new Sha256();
        digest.update(config.toString());
        for (String name : new TreeMap<>(weights).keySet()) {
            Weight weight = weights.get(name);
            digest.update(weight.name());
            digest.update(weight.file(), weight.offset(), Math.min(weight.length(), HASHED_BYTES));
        }
        return digest.hex();
    }

    /** A hash of tokenizer.json and tokenizer_config.json, as hexadecimal digits. */
    public String tokenizerFingerprint() {
        return tokenizerFingerprint;
    }

    /** Frees the tokenizer; further calls do nothing. */
    @Override
    public void close() {
        tokenizer.close();
    }
}
