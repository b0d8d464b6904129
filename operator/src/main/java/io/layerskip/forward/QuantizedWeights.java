package io.layerskip.forward;

import ai.onnx.proto.OnnxMl.TensorProto.DataType;
import io.layerskip.model.Checkpoint;
import io.layerskip.model.CheckpointException;
import io.layerskip.model.LlamaTensors;
import io.layerskip.model.ModelConfig;
import io.layerskip.model.Sha256;
import io.layerskip.model.Weight;
import io.layerskip.model.WeightRows;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;

/**
 * A checkpoint's matrices in fewer bits, in one file that sessions read.
 *
 * <p>It is made from the checkpoint, matrices side by side on all cores. With a cache folder it is
 * kept there under a hash of the model and used again, by other processes too; without one it is
 * temporary and {@link #close()} deletes it.
 */
final class QuantizedWeights implements AutoCloseable {

    /** Part of the hash; counts up when the file's layout or its rounding changes. */
    private static final String LAYOUT = "1";

    private static final int ALIGNMENT = 64;

    private final Path file;
    private final boolean temporary;
    private final Map<String, Matrix> matrices;

    private QuantizedWeights(Path file, boolean temporary, Map<String, Place> places) {
        this.file = file;
        this.temporary = temporary;
        this.matrices = new LinkedHashMap<>();
        places.forEach((name, place) -> matrices.put(name, new Matrix(name, file, place)));
    }

    /**
     * Where a matrix lies in the file.
     *
     * @param offset of its values, in bytes; its scales follow
     */
    private record Place(WeightFormat format, int outputs, int inputs, long offset) {

        private long scalesOffset() {
            return align(offset + valuesLength());
        }

        private long valuesLength() {
            return (long) outputs * format.valueBytes(inputs);
        }

        private long scalesLength() {
            return (long) outputs * format.scales(inputs) * Float.BYTES;
        }

        private long end() {
            return align(scalesOffset() + scalesLength());
        }
    }

    /** A matrix [out, in]. */
    record Matrix(String name, Path file, Place place) {

        long outputs() {
            return place.outputs();
        }

        long inputs() {
            return place.inputs();
        }

        /** int8 [out, in], or two weights a byte [out, blocks, block / 2]. */
        private String declareValues(OnnxGraph graph) {
            boolean bytes = place.format() == WeightFormat.BYTE;
            long blocks = place.format().scales(place.inputs());
            return graph.external(
                    name + ".values",
                    bytes ? DataType.INT8 : DataType.UINT8,
                    bytes
                            ? List.of(outputs(), inputs())
                            : List.of(outputs(), blocks, WeightFormat.BLOCK / 2L),
                    file,
                    place.offset(),
                    place.valuesLength());
        }

        /** float32 [out x scales of a row]. */
        private String declareScales(OnnxGraph graph) {
            return graph.external(
                    name + ".scales",
                    DataType.FLOAT,
                    List.of(place.scalesLength() / Float.BYTES),
                    file,
                    place.scalesOffset(),
                    place.scalesLength());
        }
    }

    /**
     * Finds the file in the cache or makes it.
     *
     * @throws IOException if a weight is not finite, or a file cannot be read or written
     */
    static QuantizedWeights open(
            Checkpoint checkpoint, Precision precision, Optional<Path> cacheFolder)
            throws IOException {
        Map<String, Place> places = places(checkpoint.config(), precision);
        if (cacheFolder.isEmpty()) {
            Path file = Files.createTempFile("layerskip-", ".weights");
            QuantizedWeights weights = new QuantizedWeights(file, true, places);
            try {
                write(checkpoint, places, file);
            } catch (IOException | RuntimeException | Error e) {
                weights.close();
                throw e;
            }
            return weights;
        }
        Path folder = Files.createDirectories(cacheFolder.get()).toRealPath();
        String name = "%s-%s.weights".formatted(hash(checkpoint), precision);
        Path file = folder.resolve(name);
        if (!Files.exists(file) || Files.size(file) != length(places)) {
            // Whole or not at all: another process may look for it right now.
            Path unfinished = Files.createTempFile(folder, name, ".tmp");
            try {
                write(checkpoint, places, unfinished);
                Files.move(unfinished, file, StandardCopyOption.ATOMIC_MOVE);
            } finally {
                Files.deleteIfExists(unfinished);
            }
        }
        return new QuantizedWeights(file, false, places);
    }

    /** Declares the values of matrices, one after the other. */
    String declareValues(OnnxGraph graph, List<String> names, String output) {
        return graph.stack(
                names.stream().map(name -> matrix(name).declareValues(graph)).toList(), output);
    }

    /** Declares the scales of matrices, one after the other. */
    String declareScales(OnnxGraph graph, List<String> names, String output) {
        return graph.stack(
                names.stream().map(name -> matrix(name).declareScales(graph)).toList(), output);
    }

    /** The matrix that was made of a checkpoint's tensor. */
    Matrix matrix(String name) {
        return matrices.get(name);
    }

    /** Bytes that a model's matrices take. */
    static long bytes(ModelConfig config, Precision precision) {
        return length(places(config, precision));
    }

    private static Map<String, Place> places(ModelConfig config, Precision precision) {
        String head = LlamaTensors.head(config);
        Map<String, Place> places = new LinkedHashMap<>();
        long offset = 0;
        for (Map.Entry<String, List<Long>> tensor : LlamaTensors.matrices(config).entrySet()) {
            String name = tensor.getKey();
            WeightFormat format =
                    precision == Precision.INT4 && !name.equals(head)
                            ? WeightFormat.NIBBLE
                            : WeightFormat.BYTE;
            int outputs = Math.toIntExact(tensor.getValue().get(0));
            int inputs = Math.toIntExact(tensor.getValue().get(1));
            Place place = new Place(format, outputs, inputs, offset);
            places.put(name, place);
            offset = place.end();
        }
        return places;
    }

    private static long align(long offset) {
        return (offset + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }

    private static long length(Map<String, Place> places) {
        return places.values().stream().mapToLong(Place::end).max().orElseThrow();
    }

    private static void write(Checkpoint checkpoint, Map<String, Place> places, Path file)
            throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            places.entrySet().parallelStream()
                    .forEach(
                            entry ->
                                    write(
                                            checkpoint.weight(entry.getKey()),
                                            entry.getValue(),
                                            channel));
            // The last scales may end before the alignment does.
            long length = length(places);
            if (channel.size() < length) {
                channel.write(ByteBuffer.allocate(1), length - 1);
            }
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
    }

    private static void write(Weight weight, Place place, FileChannel channel) {
        try {
            WeightRows rows = WeightRows.map(weight);
            float[] row = new float[place.inputs()];
            ByteBuffer values = ByteBuffer.allocate(place.format().valueBytes(place.inputs()));
            ByteBuffer scales =
                    ByteBuffer.allocate(Math.toIntExact(place.scalesLength()))
                            .order(ByteOrder.LITTLE_ENDIAN);
            for (int i = 0; i < place.outputs(); i++) {
                rows.read(i, row);
                check(weight, row);
                place.format().write(row, values.clear(), scales);
                writeFully(channel, values.flip(), place.offset() + (long) i * values.capacity());
            }
            writeFully(channel, scales.flip(), place.scalesOffset());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
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

    private static void writeFully(FileChannel channel, ByteBuffer bytes, long at)
            throws IOException {
        long position = at;
        while (bytes.hasRemaining()) {
            position += channel.write(bytes, position);
        }
    }

    /** Of everything that the file's content follows from, as hexadecimal digits. */
    private static String hash(Checkpoint checkpoint) throws IOException {
        Sha256 digest = new Sha256().update(LAYOUT + checkpoint.config());
        TreeSet<Path> files = new TreeSet<>();
        for (String name : LlamaTensors.shapes(checkpoint.config()).keySet()) {
            files.add(checkpoint.weight(name).file());
        }
        for (Path file : files) {
            digest.update(file, 0, Files.size(file));
        }
        return digest.hex();
    }

    /** Deletes the file if it is temporary; a session that mapped it keeps what it has. */
    @Override
    public void close() throws IOException {
        if (temporary) {
            Files.deleteIfExists(file);
        }
    }
}
