package io.layerskip.model;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.stream.IntStream;

/**
 * The fields of a JSON object in a checkpoint's file. A field that is null counts as absent; a
 * value of another type or outside its bounds is refused, naming file, field, what was found and
 * what was expected.
 */
final class JsonFields {

    private static final ObjectMapper JSON =
            JsonMapper.builder(
                            JsonFactory.builder()
                                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                                    .build())
                    .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                    .build();

    private static final int SHOWN_CHARACTERS = 80;

    private final String path;
    private final JsonNode object;

    private JsonFields(String path, JsonNode object) {
        this.path = path;
        this.object = object;
    }

    /**
     * The object that the file holds.
     *
     * @param maxBytes the most that is read
     * @throws CheckpointException if the file is missing, too long or not a JSON object
     */
    static JsonFields read(Path file, int maxBytes) throws CheckpointException {
        return parse(file.getFileName().toString(), BoundedFile.read(file, maxBytes));
    }

    /**
     * The object that a file's bytes are.
     *
     * @param name the file's, for messages
     * @throws CheckpointException if they are not a JSON object
     */
    static JsonFields parse(String name, byte[] bytes) throws CheckpointException {
        JsonNode root;
        try {
            root = JSON.readTree(bytes);
        } catch (JsonProcessingException e) {
            throw new CheckpointException(
                    "%s is not JSON: %s".formatted(name, e.getOriginalMessage()), e);
        } catch (IOException e) {
            throw new CheckpointException("%s is not JSON: %s".formatted(name, e), e);
        }
        if (!root.isObject()) {
            throw new CheckpointException(name + " does not hold a JSON object");
        }
        return new JsonFields(name + ": ", root);
    }

    boolean has(String field) {
        return object.hasNonNull(field);
    }

    /** The names of the fields, null ones left out. */
    List<String> names() {
        return object.properties().stream().map(Map.Entry::getKey).filter(this::has).toList();
    }

    /** The integer of a field that must be there. */
    int integer(String field, int min, int max) throws CheckpointException {
        JsonNode value = object.path(field);
        requireInteger(field, value, min, max);
        return value.intValue();
    }

    OptionalInt optionalInteger(String field, int min, int max) throws CheckpointException {
        return has(field) ? OptionalInt.of(integer(field, min, max)) : OptionalInt.empty();
    }

    /** The integers of a field that is one integer, a list of them, or absent. */
    List<Integer> integers(String field, int min, int max) throws CheckpointException {
        if (!has(field)) {
            return List.of();
        }
        JsonNode value = object.get(field);
        List<JsonNode> nodes =
                value.isArray()
                        ? IntStream.range(0, value.size()).mapToObj(value::get).toList()
                        : List.of(value);
        for (JsonNode node : nodes) {
            requireInteger(field, node, min, max);
        }
        return nodes.stream().map(JsonNode::intValue).distinct().toList();
    }

    /** The number of a field that must be there. */
    double number(String field, double min, double max) throws CheckpointException {
        JsonNode value = object.path(field);
        if (!value.isNumber() || !(value.doubleValue() >= min && value.doubleValue() <= max)) {
            throw refused(field, value, "a number from " + min + " to " + max);
        }
        return value.doubleValue();
    }

    double number(String field, double min, double max, double absent) throws CheckpointException {
        return has(field) ? number(field, min, max) : absent;
    }

    boolean flag(String field, boolean absent) throws CheckpointException {
        if (!has(field)) {
            return absent;
        }
        JsonNode value = object.get(field);
        if (!value.isBoolean()) {
            throw refused(field, "true or false");
        }
        return value.booleanValue();
    }

    boolean isText(String field) {
        return object.path(field).isTextual();
    }

    Optional<String> text(String field) throws CheckpointException {
        if (!has(field)) {
            return Optional.empty();
        }
        JsonNode value = object.get(field);
        if (!value.isTextual()) {
            throw refused(field, "a string");
        }
        return Optional.of(value.textValue());
    }

    /** The strings of a field that is a list of them, or absent. */
    List<String> texts(String field) throws CheckpointException {
        if (!has(field)) {
            return List.of();
        }
        List<String> texts = new ArrayList<>();
        for (JsonNode element : object.get(field)) {
            texts.add(element.textValue());
        }
        if (!object.get(field).isArray() || texts.contains(null)) {
            throw refused(field, "a list of strings");
        }
        return texts;
    }

    boolean isListOfObjects(String field) {
        JsonNode value = object.path(field);
        return value.isArray() && !value.isEmpty() && value.get(0).isObject();
    }

    /** The objects of a field that is a list of them, or absent. */
    List<JsonFields> objects(String field) throws CheckpointException {
        if (!has(field)) {
            return List.of();
        }
        JsonNode value = object.get(field);
        List<JsonFields> objects = new ArrayList<>();
        for (JsonNode element : value) {
            objects.add(
                    new JsonFields("%s%s[%d].".formatted(path, field, objects.size()), element));
        }
        if (!value.isArray() || !objects.stream().allMatch(element -> element.object.isObject())) {
            throw refused(field, "a list of objects");
        }
        return objects;
    }

    Optional<JsonFields> object(String field) throws CheckpointException {
        if (!has(field)) {
            return Optional.empty();
        }
        JsonNode value = object.get(field);
        if (!value.isObject()) {
            throw refused(field, "an object");
        }
        return Optional.of(new JsonFields(path + field + ".", value));
    }

    /** What to throw where the value of a field will not do. */
    CheckpointException refused(String field, String expected) {
        return refused(field, object.path(field), expected);
    }

    private void requireInteger(String field, JsonNode value, int min, int max)
            throws CheckpointException {
        if (!value.isIntegralNumber()
                || !value.canConvertToInt()
                || value.intValue() < min
                || value.intValue() > max) {
            throw refused(field, value, "an integer from " + min + " to " + max);
        }
    }

    private CheckpointException refused(String field, JsonNode value, String expected) {
        return new CheckpointException(
                "%s%s is %s, expected %s".formatted(path, field, shown(value), expected));
    }

    private static String shown(JsonNode value) {
        if (value.isMissingNode()) {
            return "missing";
        }
        String text = value.toString();
        return text.length() <= SHOWN_CHARACTERS
                ? text
                : text.substring(0, SHOWN_CHARACTERS) + "...";
    }
}
