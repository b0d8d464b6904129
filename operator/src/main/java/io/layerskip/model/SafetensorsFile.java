package io.layerskip.model;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.Set;

/**
 * One safetensors file.
 *
 * <pre>
 * 8 bytes        N, the length of the header, unsigned, little-endian
 * N bytes        the header: a JSON object, which may end in spaces
 *                  {"__metadata__": {"format": "pt"},
 *                   "model.norm.weight": {"dtype": "F16", "shape": [256], "data_offsets": [0, 512]},
 *                   ...}
 * all the rest   the data: the tensors' elements, row by row, little-endian
 * </pre>
 *
 * <p>{@code data_offsets} is [begin, end) within the data, in bytes.
 */
final class SafetensorsFile {

    private final Path path;
    private final Path realPath;
    private final SafetensorsHeader header;

    private SafetensorsFile(Path path, Path realPath, SafetensorsHeader header) {
        this.path = path;
        this.realPath = realPath;
        this.header = header;
    }

    /**
     * Reads the header and checks it against the file.
     *
     * @throws CheckpointException if the file is missing, or its header is not valid
     */
    static SafetensorsFile open(Path path) throws CheckpointException {
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            String name = path.getFileName().toString();
            return new SafetensorsFile(
                    path, path.toRealPath(), SafetensorsHeader.read(name, channel));
        } catch (CheckpointException e) {
            throw e;
        } catch (NoSuchFileException e) {
            throw new CheckpointException(
                    "%s is missing from %s".formatted(path.getFileName(), path.getParent()), e);
        } catch (IOException e) {
            throw new CheckpointException("%s cannot be read: %s".formatted(path, e), e);
        }
    }

    /** The tensors' names. */
    Set<String> names() {
        return header.tensors().keySet();
    }

    /**
     * Finds a tensor.
     *
     * @param shape the shape it must have
     * @throws CheckpointException if there is no such tensor, or it has another shape, a type other
     *     than F32, F16 and BF16, or a place that is no multiple of its elements' size
     */
    Weight locate(String name, List<Long> shape) throws CheckpointException {
        SafetensorsHeader.Tensor tensor = header.tensors().get(name);
        if (tensor == null) {
            throw refused(name, "is missing, config.json implies it");
        }
        if (!shape.equals(Arrays.stream(tensor.shape()).boxed().toList())) {
            throw refused(
                    name,
                    "has shape %s, config.json implies %s",
                    Arrays.toString(tensor.shape()),
                    shape);
        }
        if (tensor.type().isEmpty()) {
            throw refused(
                    name,
                    "has type %s, expected one of %s",
                    tensor.dtype(),
                    Arrays.toString(WeightType.values()));
        }
        WeightType type = tensor.type().get();
        long position = header.dataStart() + tensor.begin();
        if (position % type.bytes() != 0) {
            throw refused(
                    name,
                    "begins at byte %d of the file, expected a multiple of %d; the safetensors"
                            + " library aligns tensors when it saves them",
                    position,
                    type.bytes());
        }
        return new Weight(name, type, shape, realPath, position, tensor.end() - tensor.begin());
    }

    private CheckpointException refused(String tensor, String reason, Object... values) {
        return new CheckpointException(
                "%s: tensor %s %s".formatted(path.getFileName(), tensor, reason.formatted(values)));
    }
}
