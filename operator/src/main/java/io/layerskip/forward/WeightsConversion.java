package io.layerskip.forward;

import io.layerskip.model.Checkpoint;
import io.layerskip.model.CheckpointException;
import io.layerskip.model.FileBytes;
import io.layerskip.model.Weight;
import io.layerskip.model.WeightRows;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.util.ArrayList;
import java.util.List;

/**
 * Rounds a checkpoint's matrices and writes them where a {@link WeightsLayout} wants them.
 *
 * <p>Matrices are cut into blocks of rows, which threads take side by side. A thread reads a few
 * rows at a time and holds no more than these and its block of results, a few megabytes, whatever
 * the model's size. Files are read and written, not mapped: one that is cut short, or a full disk,
 * is then an exception and not an error of the process.
 */
final class WeightsConversion {

    /** Weights of a block; transposed, each of its columns is one write. */
    private static final int BLOCK_WEIGHTS = 8 << 20;

    /** Rows that are read, and transposed, together: a cache line of int8. */
    private static final int TILE_ROWS = 64;

    /** Each takes about 10 MB of the heap. */
    private static final int MAX_THREADS = 16;

    private final FileChannel channel;
    private final LoadProgress progress;

    private WeightsConversion(FileChannel channel, LoadProgress progress) {
        this.channel = channel;
        this.progress = progress;
    }

    /**
     * Rows of a tensor.
     *
     * @param row of the stacked matrix at which the tensor begins
     * @param from the first of the tensor's rows
     * @param count of rows
     */
    private record Block(WeightsLayout.Place place, Weight weight, int row, int from, int count) {

        /** Bytes of its values. */
        private long length() {
            return (long) count * place.format().valueBytes(place.inputs());
        }
    }

    /**
     * Writes all matrices.
     *
     * @throws CheckpointException if a weight is not finite
     * @throws java.io.InterruptedIOException if the calling thread is interrupted
     * @throws IOException if a file cannot be read or written
     */
    static void write(
            Checkpoint checkpoint, WeightsLayout layout, FileChannel channel, LoadListener listener)
            throws IOException {
        List<Block> blocks = new ArrayList<>();
        layout.places().forEach((parts, place) -> addBlocks(checkpoint, parts, place, blocks));
        LoadProgress progress =
                new LoadProgress(
                        listener,
                        LoadListener.Stage.CONVERTING,
                        blocks.stream().mapToLong(Block::length).sum());
        WeightsConversion conversion = new WeightsConversion(channel, progress);
        ParallelTasks.runOnCores(
                MAX_THREADS,
                blocks.stream()
                        .map(block -> (ParallelTasks.Task) () -> conversion.convert(block))
                        .toList());
    }

    private static void addBlocks(
            Checkpoint checkpoint,
            List<String> parts,
            WeightsLayout.Place place,
            List<Block> blocks) {
        int most = Math.max(TILE_ROWS, BLOCK_WEIGHTS / place.inputs());
        int row = 0;
        for (int part = 0; part < parts.size(); part++) {
            int outputs = place.partOutputs().get(part);
            for (int from = 0; from < outputs; from += most) {
                int count = Math.min(most, outputs - from);
                blocks.add(new Block(place, checkpoint.weight(parts.get(part)), row, from, count));
            }
            row += outputs;
        }
    }

    private void convert(Block block) throws IOException {
        WeightFormat format = block.place().format();
        int inputs = block.place().inputs();
        int rowBytes = format.valueBytes(inputs);
        byte[] values = new byte[Math.toIntExact(block.length())];
        byte[] tile = new byte[TILE_ROWS * rowBytes];
        ByteBuffer scales =
                ByteBuffer.allocate(block.count() * format.scales(inputs) * Float.BYTES)
                        .order(ByteOrder.LITTLE_ENDIAN);
        float[] row = new float[inputs];
        for (int done = 0; done < block.count(); done += TILE_ROWS) {
            int count = Math.min(TILE_ROWS, block.count() - done);
            WeightRows rows = WeightRows.read(block.weight(), block.from() + done, count);
            ByteBuffer rounded = ByteBuffer.wrap(tile);
            for (int i = 0; i < count; i++) {
                rows.read(i, row);
                check(block.weight(), row);
                format.write(row, rounded, scales);
            }
            if (format.transposed()) {
                transpose(tile, count, inputs, values, block.count(), done);
            } else {
                System.arraycopy(tile, 0, values, done * rowBytes, count * rowBytes);
            }
        }
        write(block, values);
        long firstScale = (long) (block.row() + block.from()) * format.scales(inputs);
        FileBytes.write(
                channel, scales.flip(), block.place().scalesOffset() + firstScale * Float.BYTES);
        progress.add(block.length());
    }

    /** Rows [count, inputs] become columns from {@code at} on of {@code target} [inputs, width]. */
    private static void transpose(
            byte[] rows, int count, int inputs, byte[] target, int width, int at) {
        for (int input = 0; input < inputs; input++) {
            int to = input * width + at;
            for (int i = 0; i < count; i++) {
                target[to + i] = rows[i * inputs + input];
            }
        }
    }

    private void write(Block block, byte[] values) throws IOException {
        WeightsLayout.Place place = block.place();
        long firstRow = block.row() + block.from();
        if (!place.format().transposed()) {
            long rowBytes = place.format().valueBytes(place.inputs());
            FileBytes.write(channel, ByteBuffer.wrap(values), place.offset() + firstRow * rowBytes);
            return;
        }
        for (int input = 0; input < place.inputs(); input++) {
            FileBytes.write(
                    channel,
                    ByteBuffer.wrap(values, input * block.count(), block.count()),
                    place.offset() + (long) input * place.outputs() + firstRow);
        }
    }

    private static void check(Weight weight, float[] row) throws CheckpointException {
        for (float value : row) {
            if (!Float.isFinite(value)) {
                throw new CheckpointException(
                        "%s: tensor %s holds %s; only finite weights can be quantized"
                                .formatted(weight.file().getFileName(), weight.name(), value));
            }
        }
    }
}
