package io.layerskip.model;

import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.apache.flink.annotation.Internal;

/**
 * The names of the files that a checkpoint is read from, for whoever brings them from elsewhere.
 */
@Internal
public final class CheckpointFiles {

    /** All weights, where they are in one file. */
    public static final String WEIGHTS = WeightFiles.SINGLE;

    /** Names the files of the weights, where there are several. */
    public static final Small INDEX =
            new Small(WeightFiles.INDEX, WeightFiles.MAX_INDEX_BYTES, false);

    private static final Small TOKENIZER =
            new Small(DjlTokenizer.FILE, DjlTokenizer.MAX_FILE_BYTES, true);

    /** What shows whether a model is served, and how it renders chats. */
    public static final List<Small> SETTINGS =
            List.of(
                    new Small(ModelConfigReader.CONFIG, ModelConfigReader.MAX_FILE_BYTES, true),
                    new Small(
                            ModelConfigReader.GENERATION_CONFIG,
                            ModelConfigReader.MAX_FILE_BYTES,
                            false),
                    new Small(TokenizerConfig.FILE, TokenizerConfig.MAX_FILE_BYTES, false),
                    new Small(ChatSettings.TEMPLATE_FILE, ChatSettings.MAX_TEMPLATE_BYTES, false));

    /** All but weights and their index. */
    public static final List<Small> SMALL =
            Stream.concat(SETTINGS.stream(), Stream.of(TOKENIZER)).toList();

    /** Far above any model there is; each may cost a request to look at. */
    private static final int MAX_SHARDS = 1000;

    private CheckpointFiles() {}

    /**
     * A file without weights.
     *
     * @param maxBytes the most that is read
     * @param required whether each checkpoint has it
     */
    public record Small(String name, int maxBytes, boolean required) {}

    /**
     * The files of weights that a folder's index names.
     *
     * @throws CheckpointException if the index is missing, or names too many or anything but files
     *     of the folder
     */
    public static Set<String> shards(Path folder) throws CheckpointException {
        Set<String> shards = new TreeSet<>(WeightFiles.shardOfTensor(folder).values());
        if (shards.size() > MAX_SHARDS) {
            throw new CheckpointException(
                    "%s names %d files, more than %d"
                            .formatted(WeightFiles.INDEX, shards.size(), MAX_SHARDS));
        }
        return shards;
    }
}
