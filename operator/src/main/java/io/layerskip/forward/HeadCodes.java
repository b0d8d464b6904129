package io.layerskip.forward;

import io.layerskip.model.FileBytes;
import io.layerskip.model.ModelConfig;
import io.layerskip.model.WeightRows;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.IntBuffer;
import java.nio.channels.FileChannel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The language model head in one bit a weight: the signs of its rows after a {@link SignRotation}.
 * From them follows roughly which logits are the greatest, for a thirty-second of float32's memory
 * (RaBitQ; Gao and Long, 2024, section 3). Immutable.
 *
 * <p>Codes lie in tiles: word w of {@value #TOKENS} tokens. Products with a vector of a few bits
 * are counts of bits, and where the processor counts those of a whole vector register at once, the
 * JVM compiles a loop over a tile to that.
 */
final class HeadCodes {

    /** Tokens in a tile. */
    static final int TOKENS = 1024;

    /** Below this many weights, the head itself is as fast. */
    private static final long LEAST_WEIGHTS = 1L << 25;

    private final int vocabSize;
    private final int width;
    private final SignRotation rotation;
    private final int words;

    /** [blocks of tokens x words][{@value #TOKENS}]. */
    private final int[][] tiles;

    /** How many signs of a token are positive. */
    private final int[] positive;

    /** What a product with a token's signs has to be multiplied by to be its logit's estimate. */
    private final float[] scales;

    private HeadCodes(ModelConfig config) {
        this.vocabSize = config.vocabSize();
        this.width = config.hiddenSize();
        this.rotation = new SignRotation(width);
        this.words = words(config);
        int blocks = blocks(config);
        this.tiles = new int[blocks * words][TOKENS];
        this.positive = new int[blocks * TOKENS];
        this.scales = new float[blocks * TOKENS];
    }

    /** Whether codes find the greatest logits in less time than the head takes. */
    static boolean pay(ModelConfig config) {
        return (long) config.vocabSize() * config.hiddenSize() >= LEAST_WEIGHTS;
    }

    /**
     * Makes the codes, on all cores; with two, about a second for 128,256 x 2,048 weights.
     *
     * @throws java.io.InterruptedIOException if the thread is interrupted
     */
    static HeadCodes of(ModelConfig config, WeightRows head) throws IOException {
        HeadCodes codes = new HeadCodes(config);
        List<ParallelTasks.Task> tasks = new ArrayList<>();
        for (int i = 0; i < codes.blocks(); i++) {
            int block = i;
            tasks.add(() -> codes.encode(block, head));
        }
        ParallelTasks.runOnCores(tasks.size(), tasks);
        return codes;
    }

    /**
     * Bytes in a file: block by block the tiles, positives and scales, little-endian; none where
     * codes do not {@link #pay}.
     */
    static long bytes(ModelConfig config) {
        if (!pay(config)) {
            return 0;
        }
        return (long) blocks(config) * blockBytes(words(config));
    }

    private static int blocks(ModelConfig config) {
        return (config.vocabSize() + TOKENS - 1) / TOKENS;
    }

    private static int words(ModelConfig config) {
        return (config.hiddenSize() + Integer.SIZE - 1) / Integer.SIZE;
    }

    private static int blockBytes(int words) {
        return (words + 2) * TOKENS * Integer.BYTES;
    }

    /** Writes {@link #bytes} from a position of a file on. */
    void write(FileChannel channel, long at) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(blockBytes(words)).order(ByteOrder.LITTLE_ENDIAN);
        for (int block = 0; block < blocks(); block++) {
            IntBuffer ints = buffer.clear().asIntBuffer();
            for (int word = 0; word < words; word++) {
                ints.put(tiles[block * words + word]);
            }
            ints.put(positive, block * TOKENS, TOKENS);
            buffer.position(ints.position() * Integer.BYTES);
            buffer.asFloatBuffer().put(scales, block * TOKENS, TOKENS);
            FileBytes.write(channel, buffer.rewind(), at + (long) block * buffer.capacity());
        }
    }

    /**
     * Reads what {@link #write} has written.
     *
     * @throws EOFException if the file has become shorter
     */
    static HeadCodes read(ModelConfig config, FileChannel channel, long from) throws IOException {
        HeadCodes codes = new HeadCodes(config);
        int words = codes.words;
        ByteBuffer buffer = ByteBuffer.allocate(blockBytes(words)).order(ByteOrder.LITTLE_ENDIAN);
        for (int block = 0; block < codes.blocks(); block++) {
            if (!FileBytes.read(channel, buffer.clear(), from + (long) block * buffer.capacity())) {
                throw new EOFException("the file of weights has become shorter");
            }
            IntBuffer ints = buffer.flip().asIntBuffer();
            for (int word = 0; word < words; word++) {
                ints.get(codes.tiles[block * words + word]);
            }
            ints.get(codes.positive, block * TOKENS, TOKENS);
            buffer.position(ints.position() * Integer.BYTES);
            buffer.asFloatBuffer().get(codes.scales, block * TOKENS, TOKENS);
        }
        return codes;
    }

    private void encode(int block, WeightRows head) {
        float[] row = new float[width];
        int from = block * TOKENS;
        int to = Math.min(from + TOKENS, vocabSize);
        for (int token = from; token < to; token++) {
            head.read(token, row);
            encode(token, row);
        }
    }

    private void encode(int token, float[] row) {
        rotation.rotate(row);
        float squares = 0;
        float magnitudes = 0;
        int count = 0;
        int block = token / TOKENS;
        int lane = token % TOKENS;
        for (int word = 0; word < words; word++) {
            int bits = 0;
            int end = Math.min((word + 1) * Integer.SIZE, row.length);
            for (int i = word * Integer.SIZE; i < end; i++) {
                squares += row[i] * row[i];
                magnitudes += Math.abs(row[i]);
                bits |= row[i] > 0 ? 1 << i : 0;
            }
            tiles[block * words + word][lane] = bits;
            count += Integer.bitCount(bits);
        }
        positive[token] = count;
        scales[token] = magnitudes > 0 ? squares / magnitudes : 0;
    }

    SignRotation rotation() {
        return rotation;
    }

    int vocabSize() {
        return vocabSize;
    }

    /** Blocks of {@value #TOKENS} tokens. */
    int blocks() {
        return tiles.length / words;
    }

    /**
     * Estimates a block's logits, but for a factor that all have in common.
     *
     * @param query what is multiplied with them
     * @param estimates [{@value #TOKENS}]
     */
    void estimate(int block, CodedVector query, int[] counts, float[] estimates) {
        Arrays.fill(counts, 0);
        for (int word = 0; word < words; word++) {
            count(
                    tiles[block * words + word],
                    query.plane(0, word),
                    query.plane(1, word),
                    query.plane(2, word),
                    query.plane(3, word),
                    counts);
        }
        int from = block * TOKENS;
        for (int i = 0; i < TOKENS; i++) {
            estimates[i] = scales[from + i] * query.product(counts[i], positive[from + i]);
        }
    }

    /** Adds the products of a tile's signs, taken for 0 and 1, and a word of 4 bits an element. */
    private static void count(int[] tile, int ones, int twos, int fours, int eights, int[] counts) {
        for (int i = 0; i < counts.length; i++) {
            int bits = tile[i];
            counts[i] +=
                    Integer.bitCount(bits & ones)
                            + (Integer.bitCount(bits & twos) << 1)
                            + (Integer.bitCount(bits & fours) << 2)
                            + (Integer.bitCount(bits & eights) << 3);
        }
    }
}
