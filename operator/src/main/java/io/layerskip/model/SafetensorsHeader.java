package io.layerskip.model;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The header of a safetensors file; {@link SafetensorsFile} has the format.
 *
 * <p>It is untrusted, and held to what the reference implementation asks (huggingface/safetensors,
 * {@code Metadata::validate}): at most 100 MB, no name twice, the tensors one after the other
 * without overlap or hole from the first byte of the data to the last, and each as long as its
 * shape and type say. Of types that are not used here only the place is checked.
 *
 * @param tensors what it says of each tensor, by name
 * @param dataStart where the data begins, in bytes from the start of the file
 */
record SafetensorsHeader(Map<String, Tensor> tensors, long dataStart) {

    private static final int MAX_BYTES = 100_000_000;
    private static final String METADATA = "__metadata__";

    private static final ObjectReader TENSOR =
            JsonMapper.builder(
                            JsonFactory.builder()
                                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                                    .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
                                    .streamReadConstraints(
                                            StreamReadConstraints.builder()
                                                    .maxNestingDepth(8)
                                                    .build())
                                    .build())
                    .disable(MapperFeature.ALLOW_COERCION_OF_SCALARS)
                    .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
                    .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
                    .enable(DeserializationFeature.FAIL_ON_NULL_CREATOR_PROPERTIES)
                    .enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES)
                    .build()
                    .readerFor(Tensor.class);

    /**
     * What the header says of a tensor.
     *
     * @param dtype the type's name in the format
     * @param shape dimensions, outermost first
     * @param dataOffsets [begin, end) within the data, in bytes
     */
    @JsonIgnoreProperties(ignoreUnknown = true)
    record Tensor(String dtype, long[] shape, @JsonProperty("data_offsets") long[] dataOffsets) {

        long begin() {
            return dataOffsets[0];
        }

        long end() {
            return dataOffsets[1];
        }

        /** The type, if it is one that is used here. */
        Optional<WeightType> type() {
            return Arrays.stream(WeightType.values())
                    .filter(type -> type.name().equals(dtype))
                    .findFirst();
        }
    }

    /**
     * Reads the header and checks it against the size of the file.
     *
     * @param file the file's name, for messages
     * @throws CheckpointException if the header is not valid
     * @throws IOException if the file cannot be read
     */
    static SafetensorsHeader read(String file, FileChannel channel) throws IOException {
        int length = length(file, channel);
        long dataStart = Long.BYTES + length;
        Map<String, Tensor> tensors = parse(file, read(channel, Long.BYTES, length).array());
        for (Map.Entry<String, Tensor> tensor : tensors.entrySet()) {
            requireSound(file + ": tensor " + tensor.getKey(), tensor.getValue());
        }
        requireGapless(file, tensors, channel.size() - dataStart);
        return new SafetensorsHeader(tensors, dataStart);
    }

    private static int length(String file, FileChannel channel) throws IOException {
        long rest = channel.size() - Long.BYTES;
        if (rest < 0) {
            throw refused(
                    "%s: the file has %d bytes, expected at least the 8 of the header's length",
                    file, channel.size());
        }
        long length = read(channel, 0, Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).getLong();
        if (length < 0 || length > MAX_BYTES) {
            throw refused(
                    "%s: the header claims %s bytes, the format allows %d",
                    file, Long.toUnsignedString(length), MAX_BYTES);
        }
        if (length > rest) {
            throw refused(
                    "%s: the header claims %d bytes, the file holds %d after the header's length",
                    file, length, rest);
        }
        return (int) length;
    }

    private static ByteBuffer read(FileChannel channel, long position, int length)
            throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(length);
        if (!FileBytes.read(channel, buffer, position)) {
            throw new EOFException("the file became shorter while it was read");
        }
        return buffer.flip();
    }

    private static Map<String, Tensor> parse(String file, byte[] json) throws IOException {
        Map<String, Tensor> tensors = new HashMap<>();
        try (JsonParser parser = TENSOR.createParser(json)) {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                throw refused("%s: the header is not a JSON object", file);
            }
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                String name = parser.currentName();
                JsonToken value = parser.nextToken();
                if (name.equals(METADATA)) {
                    parser.skipChildren();
                } else if (value == JsonToken.START_OBJECT) {
                    tensors.put(name, TENSOR.readValue(parser));
                } else {
                    throw refused("%s: the header has no object for tensor %s", file, name);
                }
            }
            if (parser.nextToken() != null) {
                throw refused("%s: the header goes on after its JSON object", file);
            }
        } catch (JsonProcessingException e) {
            throw new CheckpointException(
                    "%s: the header is not valid: %s".formatted(file, e.getOriginalMessage()), e);
        }
        return tensors;
    }

    private static void requireSound(String where, Tensor tensor) throws CheckpointException {
        String offsets = Arrays.toString(tensor.dataOffsets());
        String shape = Arrays.toString(tensor.shape());
        if (tensor.dataOffsets().length != 2) {
            throw refused("%s has data_offsets %s, expected [begin, end]", where, offsets);
        }
        if (tensor.begin() < 0 || tensor.end() < tensor.begin()) {
            throw refused("%s has data_offsets %s, expected 0 <= begin <= end", where, offsets);
        }
        if (Arrays.stream(tensor.shape()).anyMatch(dimension -> dimension < 0)) {
            throw refused("%s has shape %s, expected no negative dimension", where, shape);
        }
        if (tensor.type().isEmpty()) {
            return;
        }
        long expected = tensor.type().get().bytes();
        try {
            for (long dimension : tensor.shape()) {
                expected = Math.multiplyExact(expected, dimension);
            }
        } catch (ArithmeticException e) {
            throw new CheckpointException(
                    "%s has shape %s, which is more than any file holds".formatted(where, shape),
                    e);
        }
        long found = tensor.end() - tensor.begin();
        if (found != expected) {
            throw refused(
                    "%s has %d bytes of data, its shape %s and type %s imply %d",
                    where, found, shape, tensor.dtype(), expected);
        }
    }

    private static void requireGapless(String file, Map<String, Tensor> tensors, long dataLength)
            throws CheckpointException {
        List<Map.Entry<String, Tensor>> inOrder = new ArrayList<>(tensors.entrySet());
        inOrder.sort(
                Map.Entry.comparingByValue(
                        Comparator.comparingLong(Tensor::begin).thenComparingLong(Tensor::end)));
        long covered = 0;
        for (Map.Entry<String, Tensor> tensor : inOrder) {
            long begin = tensor.getValue().begin();
            if (begin != covered) {
                throw refused(
                        "%s: tensor %s begins at byte %d of the data and %s, expected %d",
                        file,
                        tensor.getKey(),
                        begin,
                        begin < covered ? "overlaps the one before it" : "leaves a hole before it",
                        covered);
            }
            covered = tensor.getValue().end();
        }
        if (covered != dataLength) {
            throw refused(
                    "%s: the header claims %d bytes of data, the file holds %d%s",
                    file, covered, dataLength, dataLength < covered ? ": it is truncated" : "");
        }
    }

    private static CheckpointException refused(String reason, Object... values) {
        return new CheckpointException(reason.formatted(values));
    }
}
