package io.layerskip.connectors;

import com.fasterxml.jackson.databind.JsonNode;
import io.layerskip.connectors.InvalidRequestException.ErrorClass;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.regex.Pattern;

/**
 * The fields of a request object, each read as the type that it must have; one that is null is
 * absent.
 */
final class RequestFields {

    /** So much of a wrong value is quoted: enough to find it, short enough for a header. */
    private static final int EXCERPT_CHARS = 100;

    /** An id has one spelling, and fits into 32 bits. */
    private static final Pattern TOKEN_ID = Pattern.compile("0|[1-9][0-9]{0,8}");

    private final JsonNode object;

    RequestFields(JsonNode object) {
        this.object = object;
    }

    Optional<String> text(String name) throws InvalidRequestException {
        Optional<JsonNode> value = field(name);
        if (value.isEmpty()) {
            return Optional.empty();
        }
        return Optional.of(checkText(name, value.get(), "a string, not empty"));
    }

    /** The id: a text, or a number's digits. */
    Optional<String> id() throws InvalidRequestException {
        Optional<JsonNode> value = field("id");
        if (value.isPresent() && value.get().isNumber()) {
            return Optional.of(value.get().asText());
        }
        return text("id");
    }

    List<String> texts(String name) throws InvalidRequestException {
        String allowed = "a string, or an array of strings";
        Optional<JsonNode> value = field(name);
        if (value.isEmpty()) {
            return List.of();
        }
        if (value.get().isTextual()) {
            return List.of(checkText(name, value.get(), allowed));
        }
        if (!value.get().isArray()) {
            throw wrong(name, value.get(), allowed);
        }
        List<String> texts = new ArrayList<>();
        for (JsonNode element : value.get()) {
            texts.add(checkText("an element of " + name, element, allowed + ", none empty"));
        }
        return texts;
    }

    OptionalInt wholeNumber(String name) throws InvalidRequestException {
        Optional<JsonNode> value = field(name);
        if (value.isEmpty()) {
            return OptionalInt.empty();
        }
        if (!value.get().isIntegralNumber() || !value.get().canConvertToInt()) {
            throw wrong(name, value.get(), "a whole number of 32 bits");
        }
        return OptionalInt.of(value.get().intValue());
    }

    OptionalLong longNumber(String name) throws InvalidRequestException {
        Optional<JsonNode> value = field(name);
        if (value.isEmpty()) {
            return OptionalLong.empty();
        }
        if (!value.get().isIntegralNumber() || !value.get().canConvertToLong()) {
            throw wrong(name, value.get(), "a whole number of 64 bits");
        }
        return OptionalLong.of(value.get().longValue());
    }

    OptionalDouble number(String name) throws InvalidRequestException {
        Optional<JsonNode> value = field(name);
        if (value.isEmpty()) {
            return OptionalDouble.empty();
        }
        if (!value.get().isNumber()) {
            throw wrong(name, value.get(), "a number");
        }
        return OptionalDouble.of(value.get().doubleValue());
    }

    /** An object with numbers for token ids; the ids are in the order of the object. */
    Map<Integer, Double> numbersByToken(String name) throws InvalidRequestException {
        Optional<JsonNode> value = field(name);
        if (value.isEmpty()) {
            return Map.of();
        }
        if (!value.get().isObject()) {
            throw wrong(name, value.get(), "an object with a number for each token id");
        }
        Map<Integer, Double> numbers = new LinkedHashMap<>();
        for (Map.Entry<String, JsonNode> entry : value.get().properties()) {
            if (!TOKEN_ID.matcher(entry.getKey()).matches()) {
                throw new InvalidRequestException(
                        ErrorClass.INVALID_REQUEST,
                        "%s has the name \"%s\"; allowed: token ids such as \"50\""
                                .formatted(name, excerpt(entry.getKey())));
            }
            if (!entry.getValue().isNumber()) {
                throw wrong(name + " of token " + entry.getKey(), entry.getValue(), "a number");
            }
            numbers.put(Integer.valueOf(entry.getKey()), entry.getValue().doubleValue());
        }
        return numbers;
    }

    /** A whole number; false is the same as no such field. */
    OptionalInt wholeNumberOrFalse(String name) throws InvalidRequestException {
        boolean isFalse =
                field(name).filter(value -> value.isBoolean() && !value.booleanValue()).isPresent();
        return isFalse ? OptionalInt.empty() : wholeNumber(name);
    }

    boolean flag(String name) throws InvalidRequestException {
        Optional<JsonNode> value = field(name);
        if (value.isPresent() && !value.get().isBoolean()) {
            throw wrong(name, value.get(), "true or false");
        }
        return value.isPresent() && value.get().booleanValue();
    }

    /** An object, as JSON again. */
    Optional<String> json(String name) throws InvalidRequestException {
        Optional<JsonNode> value = field(name);
        if (value.isEmpty()) {
            return Optional.empty();
        }
        if (!value.get().isObject()) {
            throw wrong(name, value.get(), "an object");
        }
        return Optional.of(checkEncodable(name, value.get().toString()));
    }

    /** The elements of an array. */
    Optional<List<JsonNode>> array(String name) throws InvalidRequestException {
        Optional<JsonNode> value = field(name);
        if (value.isPresent() && !value.get().isArray()) {
            throw wrong(name, value.get(), "an array");
        }
        return value.map(
                array -> {
                    List<JsonNode> elements = new ArrayList<>();
                    array.forEach(elements::add);
                    return elements;
                });
    }

    boolean has(String name) {
        return field(name).isPresent();
    }

    /** Refuses a field for what goes without it. */
    void refuse(String name, String why) throws InvalidRequestException {
        Optional<JsonNode> value = field(name);
        if (value.isPresent()) {
            throw wrong(name, value.get(), "no such field " + why);
        }
    }

    /** Refuses a field that asks for something which is not served; one value asks for nothing. */
    void refuseUnless(String name, JsonNode neutral) throws InvalidRequestException {
        Optional<JsonNode> value = field(name);
        if (value.isPresent() && !value.get().equals(RequestFields::compare, neutral)) {
            throw wrong(name, value.get(), neutral + " or no such field, as it is not served");
        }
    }

    private static int compare(JsonNode value, JsonNode other) {
        if (value.isNumber() && other.isNumber()) {
            return value.decimalValue().compareTo(other.decimalValue());
        }
        return value.equals(other) ? 0 : 1;
    }

    private Optional<JsonNode> field(String name) {
        return Optional.ofNullable(object.get(name)).filter(value -> !value.isNull());
    }

    private static String checkText(String name, JsonNode value, String allowed)
            throws InvalidRequestException {
        if (!value.isTextual() || value.textValue().isEmpty()) {
            throw wrong(name, value, allowed);
        }
        return checkEncodable(name, value.textValue());
    }

    /** JSON can escape half a surrogate pair, which no UTF-8 can say on the way out. */
    static String checkEncodable(String name, String text) throws InvalidRequestException {
        if (!StandardCharsets.UTF_8.newEncoder().canEncode(text)) {
            throw new InvalidRequestException(
                    ErrorClass.INVALID_REQUEST,
                    name + " has half a surrogate pair; allowed: whole Unicode characters");
        }
        return text;
    }

    static InvalidRequestException wrong(String name, JsonNode value, String allowed) {
        return new InvalidRequestException(
                ErrorClass.INVALID_REQUEST,
                "%s is %s; allowed: %s".formatted(name, describe(value), allowed));
    }

    /** What a value is, for a message: small ones as they are, the others by their type. */
    static String describe(JsonNode value) {
        return switch (value.getNodeType()) {
            case OBJECT -> "an object";
            case ARRAY -> "an array";
            case STRING ->
                    value.textValue().isEmpty()
                            ? "an empty string"
                            : "the string \"" + excerpt(value.textValue()) + "\"";
            case MISSING -> "empty";
            default -> excerpt(value.asText());
        };
    }

    static String excerpt(String text) {
        return text.length() <= EXCERPT_CHARS ? text : text.substring(0, EXCERPT_CHARS) + "...";
    }
}
