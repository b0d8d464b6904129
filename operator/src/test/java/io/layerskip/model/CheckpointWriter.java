package io.layerskip.model;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;

/**
 * Writes checkpoint folders with random weights and the bundled tokenizer, for tests.
 *
 * <p>It starts from a small Llama: 4 layers, hidden 64, 4 query heads, 2 key/value heads, MLP 96,
 * untied head, context 128, F32. Every weight is a number that all of F32, F16 and BF16 hold
 * exactly, and depends on the seed and the tensor's name only: the same model in another type or
 * sharding computes the same.
 *
 * <pre>{@code
 * Path folder = new CheckpointWriter(1)
 *         .config("num_key_value_heads", 1)
 *         .type(WeightType.BF16)
 *         .shards(3)
 *         .write(temporaryFolder);
 * }</pre>
 */
public final class CheckpointWriter {

    private static final ObjectMapper JSON = new ObjectMapper();

    private final long seed;
    private final ObjectNode config = JSON.createObjectNode();
    private final ObjectNode generationConfig = JSON.createObjectNode();
    private final Map<String, List<Long>> replaced = new TreeMap<>();
    private final List<String> dropped = new ArrayList<>();
    private WeightType type = WeightType.F32;
    private int shards = 1;

    /** A writer of the small Llama, with weights drawn from that seed. */
    public CheckpointWriter(long seed) {
        this.seed = seed;
        config.putArray("architectures").add("LlamaForCausalLM");
        config("model_type", "llama");
        config("vocab_size", 2048);
        config("hidden_size", 64);
        config("intermediate_size", 96);
        config("num_hidden_layers", 4);
        config("num_attention_heads", 4);
        config("num_key_value_heads", 2);
        config("max_position_embeddings", 128);
        config("rms_norm_eps", 1e-5);
        config("rope_theta", 10000.0);
        config("tie_word_embeddings", false);
        config("eos_token_id", 1);
    }

    /** Sets a field of config.json to anything that Jackson can write. */
    public CheckpointWriter config(String field, Object value) {
        config.set(field, JSON.valueToTree(value));
        return this;
    }

    /** Leaves a field out of config.json. */
    public CheckpointWriter withoutConfig(String field) {
        config.remove(field);
        return this;
    }

    /** Sets a field of generation_config.json, which is written once it has one. */
    public CheckpointWriter generationConfig(String field, Object value) {
        generationConfig.set(field, JSON.valueToTree(value));
        return this;
    }

    /** The rope_scaling of Llama 3.2, for a context that was 64 tokens. */
    public CheckpointWriter llama3Rope() {
        return config(
                "rope_scaling",
                Map.of(
                        "rope_type", "llama3",
                        "factor", 32.0,
                        "low_freq_factor", 1.0,
                        "high_freq_factor", 4.0,
                        "original_max_position_embeddings", 64));
    }

    /** The type of all weights. */
    public CheckpointWriter type(WeightType type) {
        this.type = type;
        return this;
    }

    /** The number of files; more than one come with an index. */
    public CheckpointWriter shards(int shards) {
        this.shards = shards;
        return this;
    }

    /** Leaves a tensor out. */
    public CheckpointWriter without(String tensor) {
        dropped.add(tensor);
        return this;
    }

    /** Writes a tensor that the configuration does not imply, or in another shape. */
    public CheckpointWriter with(String tensor, Long... shape) {
        replaced.put(tensor, List.of(shape));
        return this;
    }

    /**
     * Writes the whole folder, which it makes where there is none.
     *
     * @return the folder
     */
    public Path write(Path folder) {
        try {
            Files.createDirectories(folder);
            writeConfig(folder);
            Files.copy(
                    BundledModel.folder().resolve("tokenizer.json"),
                    folder.resolve("tokenizer.json"));
            writeWeights(folder);
            return folder;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Writes config.json and generation_config.json only, whatever they say. */
    Path writeConfig(Path folder) throws IOException {
        JSON.writeValue(folder.resolve("config.json").toFile(), config);
        if (!generationConfig.isEmpty()) {
            JSON.writeValue(folder.resolve("generation_config.json").toFile(), generationConfig);
        }
        return folder;
    }

    /** A safetensors file of that header and data, valid or not. */
    static void writeSafetensors(Path file, String header, byte[] data) throws IOException {
        byte[] json = header.getBytes(StandardCharsets.UTF_8);
        ByteBuffer content =
                ByteBuffer.allocate(Long.BYTES + json.length + data.length)
                        .order(ByteOrder.LITTLE_ENDIAN)
                        .putLong(json.length)
                        .put(json)
                        .put(data);
        Files.write(file, content.array());
    }

    private void writeWeights(Path folder) throws IOException {
        Map<String, List<Long>> shapes = impliedShapes();
        shapes.putAll(replaced);
        dropped.forEach(shapes::remove);

        List<Map<String, List<Long>>> files = new ArrayList<>();
        for (int i = 0; i < shards; i++) {
            files.add(new LinkedHashMap<>());
        }
        int next = 0;
        for (Map.Entry<String, List<Long>> tensor : shapes.entrySet()) {
            files.get(next++ % shards).put(tensor.getKey(), tensor.getValue());
        }
        if (shards == 1) {
            writeFile(folder.resolve("model.safetensors"), files.get(0));
            return;
        }
        ObjectNode index = JSON.createObjectNode();
        ObjectNode weightMap = index.putObject("weight_map");
        for (int i = 0; i < shards; i++) {
            String name = "model-%05d-of-%05d.safetensors".formatted(i + 1, shards);
            writeFile(folder.resolve(name), files.get(i));
            files.get(i).keySet().forEach(tensor -> weightMap.put(tensor, name));
        }
        JSON.writeValue(folder.resolve("model.safetensors.index.json").toFile(), index);
    }

    /** As Hugging Face's modelling code has them, so that the reader's list is checked too. */
    private Map<String, List<Long>> impliedShapes() {
        long hidden = config.get("hidden_size").asLong();
        long intermediate = config.get("intermediate_size").asLong();
        long vocabulary = config.get("vocab_size").asLong();
        long heads = config.get("num_attention_heads").asLong();
        long keyValueHeads = config.path("num_key_value_heads").asLong(heads);
        long headDim = config.path("head_dim").asLong(hidden / heads);

        Map<String, List<Long>> shapes = new LinkedHashMap<>();
        shapes.put("model.embed_tokens.weight", List.of(vocabulary, hidden));
        for (int layer = 0; layer < config.get("num_hidden_layers").asInt(); layer++) {
            String prefix = "model.layers." + layer;
            for (String norm : List.of("input_layernorm", "post_attention_layernorm")) {
                shapes.put(prefix + "." + norm + ".weight", List.of(hidden));
            }
            String attention = prefix + ".self_attn.";
            shapes.put(attention + "q_proj.weight", List.of(heads * headDim, hidden));
            shapes.put(attention + "k_proj.weight", List.of(keyValueHeads * headDim, hidden));
            shapes.put(attention + "v_proj.weight", List.of(keyValueHeads * headDim, hidden));
            shapes.put(attention + "o_proj.weight", List.of(hidden, heads * headDim));
            String mlp = prefix + ".mlp.";
            shapes.put(mlp + "gate_proj.weight", List.of(intermediate, hidden));
            shapes.put(mlp + "up_proj.weight", List.of(intermediate, hidden));
            shapes.put(mlp + "down_proj.weight", List.of(hidden, intermediate));
        }
        shapes.put("model.norm.weight", List.of(hidden));
        if (!config.path("tie_word_embeddings").asBoolean()) {
            shapes.put("lm_head.weight", List.of(vocabulary, hidden));
        }
        return shapes;
    }

    private void writeFile(Path file, Map<String, List<Long>> shapes) throws IOException {
        ObjectNode header = JSON.createObjectNode();
        header.putObject("__metadata__").put("format", "pt");
        ByteArrayOutputStream data = new ByteArrayOutputStream();
        for (Map.Entry<String, List<Long>> tensor : shapes.entrySet()) {
            ObjectNode entry = header.putObject(tensor.getKey());
            entry.put("dtype", type.name());
            tensor.getValue().forEach(entry.withArray("shape")::add);
            entry.withArray("data_offsets").add(data.size());
            data.writeBytes(elements(tensor.getKey(), tensor.getValue()));
            entry.withArray("data_offsets").add(data.size());
        }
        String json = header.toString();
        // The reference pads to eight bytes too: it keeps the elements aligned.
        writeSafetensors(
                file, json + " ".repeat(Math.floorMod(-json.length(), 8)), data.toByteArray());
    }

    private byte[] elements(String name, List<Long> shape) {
        int count = shape.stream().mapToInt(Math::toIntExact).reduce(1, Math::multiplyExact);
        Random random = new Random(31 * seed + name.hashCode());
        boolean norm = shape.size() == 1;
        ByteBuffer bytes = ByteBuffer.allocate(count * type.bytes()).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < count; i++) {
            float value =
                    norm ? 1 + random.nextInt(32) / 128f : (random.nextInt(511) - 255) / 1024f;
            int bits = Float.floatToRawIntBits(value);
            switch (type) {
                case F32 -> bytes.putFloat(value);
                case BF16 -> bytes.putShort((short) (bits >>> 16));
                case F16 -> bytes.putShort(half(bits));
            }
        }
        return bytes.array();
    }

    /** The half of a float that is zero, or normal and exact as a half. */
    private static short half(int bits) {
        if ((bits & 0x7fffffff) == 0) {
            return 0;
        }
        int sign = bits >>> 16 & 0x8000;
        int exponent = (bits >>> 23 & 0xff) - 127 + 15;
        return (short) (sign | exponent << 10 | bits >>> 13 & 0x3ff);
    }
}
