package io.layerskip.model;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * The weights of a folder: model.safetensors, or the shards that model.safetensors.index.json
 * lists.
 *
 * <p>The index maps each tensor to the file in the same folder that holds it: {@code {"weight_map":
 * {"model.norm.weight": "model-00002-of-00002.safetensors", ...}}}. Where both stand in the folder,
 * model.safetensors is read, as Hugging Face does.
 */
final class WeightFiles {

    static final String SINGLE = "model.safetensors";
    static final String INDEX = "model.safetensors.index.json";
    private static final String WEIGHT_MAP = "weight_map";
    static final int MAX_INDEX_BYTES = 64 << 20;

    /** The index is untrusted: a name with a separator could lead out of the folder. */
    private static final Pattern SHARD = Pattern.compile("[A-Za-z0-9._-]+\\.safetensors");

    private final String listedIn;
    private final Map<String, SafetensorsFile> fileOfTensor;

    private WeightFiles(String listedIn, Map<String, SafetensorsFile> fileOfTensor) {
        this.listedIn = listedIn;
        this.fileOfTensor = fileOfTensor;
    }

    /**
     * Reads and checks the headers of all files.
     *
     * @throws CheckpointException if a file is missing or not valid
     */
    static WeightFiles open(Path folder) throws CheckpointException {
        if (!Files.exists(folder.resolve(SINGLE)) && Files.exists(folder.resolve(INDEX))) {
            return openShards(folder);
        }
        SafetensorsFile file = SafetensorsFile.open(folder.resolve(SINGLE));
        Map<String, SafetensorsFile> fileOfTensor = new HashMap<>();
        file.names().forEach(name -> fileOfTensor.put(name, file));
        return new WeightFiles(SINGLE, fileOfTensor);
    }

    private static WeightFiles openShards(Path folder) throws CheckpointException {
        Map<String, SafetensorsFile> shards = new HashMap<>();
        Map<String, SafetensorsFile> fileOfTensor = new HashMap<>();
        for (Map.Entry<String, String> tensor : shardOfTensor(folder).entrySet()) {
            String shard = tensor.getValue();
            if (!shards.containsKey(shard)) {
                shards.put(shard, SafetensorsFile.open(folder.resolve(shard)));
            }
            fileOfTensor.put(tensor.getKey(), shards.get(shard));
        }
        return new WeightFiles(INDEX, fileOfTensor);
    }

    /**
     * Reads which file the index names for each tensor.
     *
     * @throws CheckpointException if the index is missing or names anything but files of the folder
     */
    static Map<String, String> shardOfTensor(Path folder) throws CheckpointException {
        JsonFields index = JsonFields.read(folder.resolve(INDEX), MAX_INDEX_BYTES);
        JsonFields weightMap =
                index.object(WEIGHT_MAP)
                        .orElseThrow(() -> index.refused(WEIGHT_MAP, "the file of each tensor"));
        Map<String, String> shardOfTensor = new LinkedHashMap<>();
        for (String tensor : weightMap.names()) {
            String shard = weightMap.text(tensor).orElseThrow();
            if (!SHARD.matcher(shard).matches()) {
                throw weightMap.refused(tensor, "the name of a .safetensors file in the folder");
            }
            shardOfTensor.put(tensor, shard);
        }
        return shardOfTensor;
    }

    /**
     * Finds a tensor.
     *
     * @param shape the shape it must have
     * @throws CheckpointException if there is no such tensor or it cannot be used
     */
    Weight locate(String name, List<Long> shape) throws CheckpointException {
        SafetensorsFile file = fileOfTensor.get(name);
        if (file == null) {
            throw new CheckpointException(
                    "%s: tensor %s is missing, config.json implies it".formatted(listedIn, name));
        }
        return file.locate(name, shape);
    }
}
