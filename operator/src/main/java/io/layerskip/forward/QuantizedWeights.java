package io.layerskip.forward;

import ai.onnx.proto.OnnxMl.TensorProto.DataType;
import io.layerskip.model.Checkpoint;
import io.layerskip.model.CheckpointException;
import io.layerskip.model.FileBytes;
import io.layerskip.model.ModelConfig;
import java.io.EOFException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Optional;

/**
 * A checkpoint's matrices in fewer bits, and its {@link HeadCodes}, in one file.
 *
 * <p>It is made from the checkpoint, matrices side by side on all cores. With a cache folder it is
 * kept there and used again, by other processes too; without one it is temporary and {@link
 * #close()} deletes it.
 *
 * @see WeightsLayout
 * @see WeightsCache
 */
final class QuantizedWeights implements AutoCloseable {

    private final Path file;
    private final WeightsLayout layout;
    private final Optional<TemporaryFile> temporary;

    private QuantizedWeights(Path file, WeightsLayout layout, Optional<TemporaryFile> temporary) {
        this.file = file;
        this.layout = layout;
        this.temporary = temporary;
    }

    /** A matrix of [in] to [out], as it lies in a file. */
    record Matrix(String name, Path file, WeightsLayout.Place place) {

        long outputs() {
            return place.outputs();
        }

        long inputs() {
            return place.inputs();
        }

        /** int8 [in, out], or two weights a byte [out, blocks, block / 2]. */
        String declareValues(OnnxGraph graph) {
            boolean bytes = place.format() == WeightFormat.BYTE;
            long blocks = place.format().scales(place.inputs());
            return graph.external(
                    name + ".values",
                    bytes ? DataType.INT8 : DataType.UINT8,
                    bytes
                            ? List.of(inputs(), outputs())
                            : List.of(outputs(), blocks, WeightFormat.BLOCK / 2L),
                    file,
                    place.offset(),
                    place.valuesLength());
        }

        /**
         * Adds float32 [out x scales of a row] to the graph. A session would keep the file mapped
         * for them, and end the process should it become shorter; of the values it keeps a copy.
         */
        String addScales(OnnxGraph graph) {
            ByteBuffer scales =
                    ByteBuffer.allocate(Math.toIntExact(place.scalesLength()))
                            .order(ByteOrder.LITTLE_ENDIAN);
            try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
                if (!FileBytes.read(channel, scales, place.scalesOffset())) {
                    throw new EOFException(file + " has become shorter");
                }
            } catch (IOException e) {
                throw new ForwardException("cannot read weights: " + e.getMessage(), e);
            }
            return graph.constant(name + ".scales", scales.flip().asFloatBuffer());
        }
    }

    /**
     * Finds the file in the cache or makes it.
     *
     * @throws InterruptedIOException if the thread is interrupted
     * @throws IOException if a weight is not finite, a file cannot be read or written, or others
     *     may write into the cache folder
     */
    static QuantizedWeights open(
            Checkpoint checkpoint,
            Precision precision,
            Optional<Path> cacheFolder,
            LoadListener listener)
            throws IOException {
        WeightsLayout layout = WeightsLayout.of(checkpoint.config(), precision);
        if (cacheFolder.isPresent()) {
            Path file =
                    WeightsCache.find(cacheFolder.get(), checkpoint, precision, layout, listener);
            return new QuantizedWeights(file, layout, Optional.empty());
        }
        TemporaryFile temporary = TemporaryFile.create();
        try {
            write(checkpoint, layout, temporary.path(), listener);
        } catch (IOException | RuntimeException | Error e) {
            temporary.close();
            throw e;
        }
        return new QuantizedWeights(temporary.path(), layout, Optional.of(temporary));
    }

    /** The matrix that was made of tensors of the checkpoint, stacked. */
    Matrix matrix(List<String> parts) {
        return new Matrix(parts.get(0), file, layout.places().get(parts));
    }

    /**
     * The head's codes, for a model where they pay.
     *
     * @throws IOException if the file cannot be read
     */
    HeadCodes headCodes(ModelConfig config) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            return HeadCodes.read(config, channel, layout.matricesLength());
        }
    }

    /** Bytes of all matrices' values. */
    long valueBytes() {
        return layout.places().values().stream().mapToLong(WeightsLayout.Place::valuesLength).sum();
    }

    /** Bytes that a model's matrices take. */
    static long bytes(ModelConfig config, Precision precision) {
        return WeightsLayout.of(config, precision).matricesLength();
    }

    /**
     * Makes the content of a file, with its checksums.
     *
     * @throws IOException if there is no room: the message says how much is needed and free
     */
    static void write(Checkpoint checkpoint, WeightsLayout layout, Path file, LoadListener listener)
            throws IOException {
        long length = WeightsChecksum.fileLength(layout.length());
        if (freeBytes(file) < length) {
            throw noRoom(file, length, new IOException("not enough space"));
        }
        try (FileChannel channel =
                FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            WeightsConversion.write(checkpoint, layout, channel, listener);
            if (HeadCodes.pay(checkpoint.config())) {
                HeadCodes.of(checkpoint.config(), checkpoint.head())
                        .write(channel, layout.matricesLength());
            }
            WeightsChecksum.append(channel, layout.length(), listener);
        } catch (CheckpointException | InterruptedIOException | ClosedByInterruptException e) {
            throw e;
        } catch (IOException e) {
            throw noRoom(file, length, e);
        }
    }

    private static IOException noRoom(Path file, long length, IOException cause)
            throws IOException {
        return new IOException(
                "the converted weights cannot be written to %s: they take %d bytes, and %d are free: %s"
                        .formatted(file.getParent(), length, freeBytes(file), cause.getMessage()),
                cause);
    }

    private static long freeBytes(Path file) throws IOException {
        return Files.getFileStore(file).getUsableSpace();
    }

    /** Deletes the file if it is temporary; a session that mapped it keeps what it has. */
    @Override
    public void close() throws IOException {
        if (temporary.isPresent()) {
            temporary.get().close();
        }
    }
}
