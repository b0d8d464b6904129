package io.layerskip.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.layerskip.model.FileBytes;
import io.layerskip.model.LlamaTensors;
import io.layerskip.model.ModelConfig;
import io.layerskip.model.ModelConfigReader;
import io.layerskip.model.ModelFolder;
import io.layerskip.model.WeightType;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;

/**
 * Checkpoints of any shape with random weights, to measure what a model of that shape costs. What
 * they write means nothing, but an early exit can agree with the whole model as often as a trained
 * one's does.
 */
final class RandomCheckpoint {

    /** A piece of this many weights has random numbers of its own, so that cores share the work. */
    private static final int PIECE = 1 << 20;

    private static final double DEVIATION = 0.02;

    private RandomCheckpoint() {}

    /**
     * How the weights differ from Gaussian ones of one deviation.
     *
     * @param exit layers before the early exit, from 1
     * @param later scales what each layer after the exit adds to the hidden states, from 0: at 0
     *     the exit says what the whole model says, at 1 hardly ever
     * @param peak the final norm's weights, above 0: the greater, the more the most probable token
     *     stands out
     */
    record Design(int exit, double later, double peak) {}

    /**
     * Writes a checkpoint in BF16.
     *
     * @param config a config.json
     * @param tokenizer a tokenizer.json whose ids are in the vocabulary
     * @return the checkpoint's folder, which goes when it is closed
     */
    static ModelFolder write(String config, Path tokenizer, Design design) throws IOException {
        ModelFolder folder = ModelFolder.temporary();
        try {
            Files.writeString(folder.path().resolve("config.json"), config);
            Files.copy(tokenizer, folder.path().resolve("tokenizer.json"));
            ModelConfig read = ModelConfigReader.read(folder.path());
            try (FileChannel file =
                    FileChannel.open(
                            folder.path().resolve("model.safetensors"),
                            StandardOpenOption.CREATE_NEW,
                            StandardOpenOption.WRITE)) {
                writeTensors(read, design, file);
            }
            return folder;
        } catch (IOException | RuntimeException | Error e) {
            folder.close();
            throw e;
        }
    }

    private static void writeTensors(ModelConfig config, Design design, FileChannel file)
            throws IOException {
        Map<String, List<Long>> shapes = LlamaTensors.shapes(config);
        byte[] header = header(shapes);
        ByteBuffer start =
                ByteBuffer.allocate(Long.BYTES + header.length).order(ByteOrder.LITTLE_ENDIAN);
        start.putLong(header.length).put(header).flip();
        long offset = start.limit();
        FileBytes.write(file, start, 0);
        Set<String> scaled = additionsAfter(design.exit(), config.numHiddenLayers());
        List<Piece> pieces = new ArrayList<>();
        for (Map.Entry<String, List<Long>> tensor : shapes.entrySet()) {
            String name = tensor.getKey();
            boolean norm = tensor.getValue().size() == 1;
            double mean = !norm ? 0 : name.equals(LlamaTensors.FINAL_NORM) ? design.peak() : 1;
            double deviation = norm ? 0 : DEVIATION * (scaled.contains(name) ? design.later() : 1);
            for (long left = elements(tensor.getValue()); left > 0; left -= PIECE) {
                int count = (int) Math.min(left, PIECE);
                pieces.add(new Piece(pieces.size(), offset, count, mean, deviation));
                offset += (long) count * WeightType.BF16.bytes();
            }
        }
        try {
            pieces.parallelStream().forEach(piece -> piece.write(file));
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
    }

    /** Names of the matrices whose products the layers after the exit add to the hidden states. */
    private static Set<String> additionsAfter(int exit, int layers) {
        Set<String> names = new HashSet<>();
        for (int layer = exit; layer < layers; layer++) {
            names.add(LlamaTensors.layer(layer).attentionOutput());
            names.add(LlamaTensors.layer(layer).down());
        }
        return names;
    }

    private static byte[] header(Map<String, List<Long>> shapes) throws IOException {
        ObjectMapper mapper = new ObjectMapper();
        ObjectNode header = mapper.createObjectNode();
        long end = 0;
        for (Map.Entry<String, List<Long>> tensor : shapes.entrySet()) {
            long begin = end;
            end += elements(tensor.getValue()) * WeightType.BF16.bytes();
            ObjectNode described = header.putObject(tensor.getKey());
            described.put("dtype", WeightType.BF16.name());
            described.set("shape", mapper.valueToTree(tensor.getValue()));
            described.putArray("data_offsets").add(begin).add(end);
        }
        StringBuilder json = new StringBuilder(mapper.writeValueAsString(header));
        while (json.length() % Long.BYTES != 0) {
            json.append(' ');
        }
        return json.toString().getBytes(StandardCharsets.US_ASCII);
    }

    private static long elements(List<Long> shape) {
        return shape.stream().reduce(1L, Math::multiplyExact);
    }

    /** Weights that stand side by side in the file, from one distribution. */
    private record Piece(int number, long offset, int count, double mean, double deviation) {

        void write(FileChannel file) {
            SplittableRandom random = new SplittableRandom(number);
            ByteBuffer weights =
                    ByteBuffer.allocate(count * WeightType.BF16.bytes())
                            .order(ByteOrder.LITTLE_ENDIAN);
            while (weights.hasRemaining()) {
                float weight =
                        (float) (deviation == 0 ? mean : mean + deviation * random.nextGaussian());
                // To the nearest that BF16 has.
                weights.putShort((short) (Float.floatToIntBits(weight) + 0x8000 >> 16));
            }
            try {
                FileBytes.write(file, weights.flip(), offset);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
