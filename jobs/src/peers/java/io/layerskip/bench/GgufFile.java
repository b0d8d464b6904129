package io.layerskip.bench;

import io.layerskip.model.Checkpoint;
import io.layerskip.model.FileBytes;
import io.layerskip.model.LlamaTensors;
import io.layerskip.model.ModelConfig;
import io.layerskip.model.RotaryEmbedding;
import io.layerskip.model.WeightRows;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.IntUnaryOperator;
import java.util.stream.IntStream;

/**
 * Writes a checkpoint as a file that llama.cpp reads.
 *
 * <pre>
 *   "GGUF", version 3, number of tensors, number of keys
 *   keys      name, type, value
 *   tensors   name, dimensions (innermost first), type, offset
 *   padding, then the tensors, each padded to 32 bytes
 * </pre>
 *
 * The vocabulary has a placeholder for each token: who uses the file gives and takes ids.
 */
final class GgufFile {

    private static final int VERSION = 3;
    private static final int ALIGNMENT = 32;
    private static final int ROWS_OF_A_PIECE = 256;

    private static final int UINT32 = 4;
    private static final int INT32 = 5;
    private static final int FLOAT32 = 6;
    private static final int BOOL = 7;
    private static final int STRING = 8;
    private static final int ARRAY = 9;

    private final Checkpoint checkpoint;
    private final ModelConfig config;
    private final List<Tensor> tensors = new ArrayList<>();
    private long length;

    /**
     * A tensor to write.
     *
     * @param rows where its values come from
     * @param shape [rows, columns], or [columns]
     * @param order the row of the checkpoint that a row is
     */
    private record Tensor(
            String name,
            Rows rows,
            List<Long> shape,
            IntUnaryOperator order,
            GgufType type,
            long offset) {

        int columns() {
            return Math.toIntExact(shape.get(shape.size() - 1));
        }

        int count() {
            return shape.size() == 1 ? 1 : Math.toIntExact(shape.get(0));
        }
    }

    @FunctionalInterface
    private interface Rows {
        void read(int row, float[] target);
    }

    private GgufFile(Checkpoint checkpoint) {
        this.checkpoint = checkpoint;
        this.config = checkpoint.config();
    }

    /**
     * Writes a file, on all cores.
     *
     * @param type of the matrices; the embedding keeps 8 bits at the least
     * @throws IOException if the checkpoint cannot be read or the file not be written
     */
    static void write(Checkpoint checkpoint, GgufType type, Path file) throws IOException {
        GgufFile written = new GgufFile(checkpoint);
        written.addTensors(type);
        try (FileChannel channel =
                FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            written.write(channel);
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
    }

    private void addTensors(GgufType type) throws IOException {
        GgufType embeddingType = type == GgufType.Q4_0 ? GgufType.Q8_0 : type;
        add("token_embd", LlamaTensors.EMBEDDING, embeddingType);
        add("output_norm", LlamaTensors.FINAL_NORM, GgufType.F32);
        if (!config.tieWordEmbeddings()) {
            add("output", LlamaTensors.HEAD, embeddingType);
        }
        addRopeFactors();
        for (int layer = 0; layer < config.numHiddenLayers(); layer++) {
            LlamaTensors.Layer names = LlamaTensors.layer(layer);
            String block = "blk." + layer + ".";
            add(block + "attn_norm", names.inputNorm(), GgufType.F32);
            add(block + "ffn_norm", names.mlpNorm(), GgufType.F32);
            add(block + "attn_q", names.query(), type, this::rotaryRow);
            add(block + "attn_k", names.key(), type, this::rotaryRow);
            add(block + "attn_v", names.value(), type);
            add(block + "attn_output", names.attentionOutput(), type);
            add(block + "ffn_gate", names.gate(), type);
            add(block + "ffn_up", names.up(), type);
            add(block + "ffn_down", names.down(), type);
        }
    }

    /** Hugging Face turns dimensions i and i + width / 2 of a head together, llama.cpp neighbours. */
    private int rotaryRow(int row) {
        int width = config.headDim();
        int within = row % width;
        return row - within + within % 2 * (width / 2) + within / 2;
    }

    private void addRopeFactors() {
        RotaryEmbedding rope = config.rope();
        if (rope.scaling().isEmpty()) {
            return;
        }
        float[] scaled = rope.inverseFrequencies(config.headDim());
        float[] unscaled =
                new RotaryEmbedding(rope.theta(), Optional.empty())
                        .inverseFrequencies(config.headDim());
        Rows factors =
                (row, target) -> {
                    for (int i = 0; i < scaled.length; i++) {
                        target[i] = unscaled[i] / scaled[i];
                    }
                };
        List<Long> shape = List.of((long) scaled.length);
        add("rope_freqs", factors, shape, GgufType.F32, row -> row);
    }

    private void add(String name, String source, GgufType type) throws IOException {
        add(name, source, type, row -> row);
    }

    private void add(String name, String source, GgufType type, IntUnaryOperator order)
            throws IOException {
        WeightRows rows = WeightRows.map(checkpoint.weight(source));
        add(name, rows::read, checkpoint.weight(source).shape(), type, order);
    }

    private void add(
            String name, Rows rows, List<Long> shape, GgufType type, IntUnaryOperator order) {
        tensors.add(new Tensor(name + ".weight", rows, shape, order, type, length));
        length += type.bytes(shape.stream().reduce(1L, Math::multiplyExact));
        length = align(length);
    }

    private void write(FileChannel channel) throws IOException {
        byte[] header = header();
        long start = align(header.length);
        FileBytes.write(channel, ByteBuffer.wrap(header), 0);
        for (Tensor tensor : tensors) {
            int pieces = (tensor.count() + ROWS_OF_A_PIECE - 1) / ROWS_OF_A_PIECE;
            IntStream.range(0, pieces)
                    .parallel()
                    .forEach(piece -> writePiece(tensor, piece, channel, start));
        }
        if (channel.size() < start + length) {
            FileBytes.write(channel, ByteBuffer.allocate(1), start + length - 1);
        }
    }

    private static void writePiece(Tensor tensor, int piece, FileChannel channel, long start) {
        int from = piece * ROWS_OF_A_PIECE;
        int to = Math.min(tensor.count(), from + ROWS_OF_A_PIECE);
        float[] row = new float[tensor.columns()];
        long rowBytes = tensor.type().bytes(row.length);
        ByteBuffer encoded =
                ByteBuffer.allocate(Math.toIntExact((to - from) * rowBytes))
                        .order(ByteOrder.LITTLE_ENDIAN);
        for (int i = from; i < to; i++) {
            tensor.rows().read(tensor.order().applyAsInt(i), row);
            for (int block = 0; block < row.length; block += tensor.type().elements()) {
                tensor.type().encode(row, block, encoded);
            }
        }
        try {
            FileBytes.write(channel, encoded.flip(), start + tensor.offset() + from * rowBytes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static long align(long offset) {
        return (offset + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }

    private byte[] header() {
        Map<String, byte[]> keys = keys();
        Output header = new Output();
        header.writeBytes("GGUF".getBytes(StandardCharsets.US_ASCII));
        header.int32(VERSION).int64(tensors.size()).int64(keys.size());
        keys.forEach((name, value) -> header.text(name).writeBytes(value));
        for (Tensor tensor : tensors) {
            header.text(tensor.name()).int32(tensor.shape().size());
            for (int i = tensor.shape().size() - 1; i >= 0; i--) {
                header.int64(tensor.shape().get(i));
            }
            header.int32(tensor.type().id()).int64(tensor.offset());
        }
        return header.toByteArray();
    }

    private Map<String, byte[]> keys() {
        Map<String, byte[]> keys = new LinkedHashMap<>();
        keys.put("general.architecture", text("llama"));
        keys.put("llama.context_length", number(config.maxPositionEmbeddings()));
        keys.put("llama.embedding_length", number(config.hiddenSize()));
        keys.put("llama.block_count", number(config.numHiddenLayers()));
        keys.put("llama.feed_forward_length", number(config.intermediateSize()));
        keys.put("llama.attention.head_count", number(config.numAttentionHeads()));
        keys.put("llama.attention.head_count_kv", number(config.numKeyValueHeads()));
        keys.put("llama.attention.key_length", number(config.headDim()));
        keys.put("llama.attention.value_length", number(config.headDim()));
        keys.put("llama.rope.dimension_count", number(config.headDim()));
        keys.put("llama.vocab_size", number(config.vocabSize()));
        keys.put("llama.attention.layer_norm_rms_epsilon", real(config.rmsNormEps()));
        keys.put("llama.rope.freq_base", real((float) config.rope().theta()));
        keys.put("tokenizer.ggml.model", text("gpt2"));
        keys.put("tokenizer.ggml.pre", text("gpt-2"));
        Output tokens = new Output().int32(ARRAY).int32(STRING).int64(config.vocabSize());
        Output types = new Output().int32(ARRAY).int32(INT32).int64(config.vocabSize());
        for (int token = 0; token < config.vocabSize(); token++) {
            tokens.text("<" + token + ">");
            types.int32(1);
        }
        keys.put("tokenizer.ggml.tokens", tokens.toByteArray());
        keys.put("tokenizer.ggml.token_type", types.toByteArray());
        keys.put(
                "tokenizer.ggml.merges",
                new Output().int32(ARRAY).int32(STRING).int64(0).toByteArray());
        if (!config.eosTokenIds().isEmpty()) {
            keys.put("tokenizer.ggml.eos_token_id", number(config.eosTokenIds().get(0)));
        }
        Output no = new Output().int32(BOOL);
        no.write(0);
        keys.put("tokenizer.ggml.add_bos_token", no.toByteArray());
        return keys;
    }

    private static byte[] text(String value) {
        return new Output().int32(STRING).text(value).toByteArray();
    }

    private static byte[] number(int value) {
        return new Output().int32(UINT32).int32(value).toByteArray();
    }

    private static byte[] real(float value) {
        return new Output().int32(FLOAT32).int32(Float.floatToIntBits(value)).toByteArray();
    }

    /** Little-endian. */
    private static final class Output extends ByteArrayOutputStream {

        Output int32(int value) {
            for (int shift = 0; shift < Integer.SIZE; shift += Byte.SIZE) {
                write(value >>> shift);
            }
            return this;
        }

        Output int64(long value) {
            return int32((int) value).int32((int) (value >>> Integer.SIZE));
        }

        /** A length and so many bytes of UTF-8. */
        Output text(String value) {
            byte[] bytes = value.getBytes(StandardCharsets.UTF_8);
            int64(bytes.length).writeBytes(bytes);
            return this;
        }
    }
}
