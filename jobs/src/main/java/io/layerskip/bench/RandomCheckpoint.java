package io.layerskip.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.layerskip.model.LlamaTensors;
import io.layerskip.model.ModelConfigReader;
import io.layerskip.model.ModelFolder;
import io.layerskip.model.WeightType;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * Checkpoints of any shape with random weights, to measure what a model of that shape costs. What
 * they write means nothing.
 */
final class RandomCheckpoint {

    private static final int BLOCK_BYTES = 1 << 20;
    private static final double DEVIATION = 0.02;

    private RandomCheckpoint() {}

    /**
     * Writes a checkpoint in BF16.
     *
     * @param config a config.json
     * @param tokenizer a tokenizer.json whose ids are in the vocabulary
     * @return the checkpoint's folder, which goes when it is closed
     */
    static ModelFolder write(String config, Path tokenizer) throws IOException {
        ModelFolder folder = ModelFolder.temporary();
        try {
            Files.writeString(folder.path().resolve("config.json"), config);
            Files.copy(tokenizer, folder.path().resolve("tokenizer.json"));
            try (OutputStream out =
                    Files.newOutputStream(folder.path().resolve("model.safetensors"))) {
                writeTensors(LlamaTensors.shapes(ModelConfigReader.read(folder.path())), out);
            }
            return folder;
        } catch (IOException | RuntimeException | Error e) {
            folder.close();
            throw e;
        }
    }

    private static void writeTensors(Map<String, List<Long>> shapes, OutputStream out)
            throws IOException {
        ObjectMapper mapper = new ObjectMapper();
        ObjectNode header = mapper.createObjectNode();
        long end = 0;
        for (Map.Entry<String, List<Long>> tensor : shapes.entrySet()) {
            long begin = end;
            long elements = tensor.getValue().stream().reduce(1L, Math::multiplyExact);
            end += elements * WeightType.BF16.bytes();
            ObjectNode described = header.putObject(tensor.getKey());
            described.put("dtype", WeightType.BF16.name());
            described.set("shape", mapper.valueToTree(tensor.getValue()));
            described.putArray("data_offsets").add(begin).add(end);
        }
        StringBuilder json = new StringBuilder(mapper.writeValueAsString(header));
        while (json.length() % Long.BYTES != 0) {
            json.append(' ');
        }
        out.write(
                ByteBuffer.allocate(Long.BYTES)
                        .order(ByteOrder.LITTLE_ENDIAN)
                        .putLong(json.length())
                        .array());
        out.write(json.toString().getBytes(StandardCharsets.US_ASCII));
        byte[] block = randomWeights();
        for (long left = end; left > 0; left -= block.length) {
            out.write(block, 0, (int) Math.min(left, block.length));
        }
    }

    /** The same weights again and again cost as much as others, and are there at once. */
    private static byte[] randomWeights() {
        Random random = new Random(1);
        ByteBuffer block = ByteBuffer.allocate(BLOCK_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        while (block.hasRemaining()) {
            float weight = (float) (DEVIATION * random.nextGaussian());
            block.putShort((short) (Float.floatToIntBits(weight) >> 16));
        }
        return block.array();
    }
}
