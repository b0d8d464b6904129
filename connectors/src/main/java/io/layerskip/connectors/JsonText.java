package io.layerskip.connectors;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParseException;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.io.JsonStringEncoder;
import io.layerskip.connectors.RecordPath.Step;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Optional;

/**
 * A JSON document as it was written: values are found in its text and put into it, and all else
 * stays as it is, character by character. So numbers keep their digits, objects the order of their
 * names, and the text its white space.
 *
 * <p>Refused are a name that an object has twice, more than {@value
 * CompletionRequestFormat#MAX_NESTING} levels, and anything after the document.
 */
final class JsonText {

    private static final JsonFactory JSON =
            JsonFactory.builder()
                    .streamReadConstraints(
                            StreamReadConstraints.builder()
                                    .maxNestingDepth(CompletionRequestFormat.MAX_NESTING)
                                    // The record's size is the limit; no number is computed.
                                    .maxStringLength(Integer.MAX_VALUE)
                                    .maxNumberLength(Integer.MAX_VALUE)
                                    .maxNameLength(Integer.MAX_VALUE)
                                    .build())
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    // Names come from outside, and tables of them would only grow.
                    .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
                    .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
                    .build();

    private final String json;
    private final JsonToken start;

    private JsonText(String json, JsonToken start) {
        this.json = json;
        this.start = start;
    }

    /** What stands, or is to stand, in [from, to) of the text. */
    private record Span(int from, int to) {}

    /**
     * Where a member is, or would have to be written.
     *
     * @param before what has to be written before its value
     * @param after what has to be written after it
     */
    private record Place(Span span, String before, String after) {}

    /** A path that leads through something which is no object. */
    static final class NoObjectException extends Exception {

        private static final long serialVersionUID = 1;

        private NoObjectException(String message) {
            super(message);
        }
    }

    /**
     * @throws JsonProcessingException if the text is not one JSON document
     */
    static JsonText parse(String text) throws JsonProcessingException {
        try (JsonParser parser = JSON.createParser(text)) {
            JsonToken start = parser.nextToken();
            if (start == null) {
                throw new JsonParseException(parser, "nothing but white space");
            }
            Span document = read(parser);
            if (parser.nextToken() != null) {
                throw new JsonParseException(parser, "something follows the document");
            }
            // Of a number alone, the parser has read what stands after it too.
            return new JsonText(text.substring(document.from, document.to).strip(), start);
        } catch (JsonProcessingException e) {
            throw e;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    boolean isObject() {
        return start == JsonToken.START_OBJECT;
    }

    /** The document without the white space around it. */
    @Override
    public String toString() {
        return json;
    }

    /**
     * The value at a path: a string's characters, anything else as it is written; empty if there is
     * none, or null.
     */
    Optional<String> text(RecordPath path) {
        try (JsonParser parser = JSON.createParser(json)) {
            parser.nextToken();
            for (Step step : path.steps()) {
                if (!enter(parser, step)) {
                    return Optional.empty();
                }
            }
            return switch (parser.currentToken()) {
                case VALUE_NULL -> Optional.empty();
                case VALUE_STRING -> Optional.of(parser.getText());
                default -> Optional.of(in(read(parser)));
            };
        } catch (IOException e) {
            throw new UncheckedIOException("a document that was read before", e);
        }
    }

    /** From an object or array to what the step leads to; whether there is that. */
    private static boolean enter(JsonParser parser, Step step) throws IOException {
        if (step.isMember()) {
            return parser.currentToken() == JsonToken.START_OBJECT
                    && seek(parser, step.name(), new Span(0, 0)).isEmpty();
        }
        if (parser.currentToken() != JsonToken.START_ARRAY) {
            return false;
        }
        for (int i = 0; parser.nextToken() != JsonToken.END_ARRAY; i++) {
            if (i == step.index()) {
                return true;
            }
            parser.skipChildren();
        }
        return false;
    }

    /**
     * From the start of an object to the value of a member.
     *
     * @param none where the object starts
     * @return empty if it is there; if not, where the last member is, or {@code none}
     */
    private static Optional<Span> seek(JsonParser parser, String name, Span none)
            throws IOException {
        Span last = none;
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
            boolean found = parser.currentName().equals(name);
            parser.nextToken();
            if (found) {
                return Optional.empty();
            }
            last = read(parser);
        }
        return Optional.of(last);
    }

    /** From the first token of a value to its last. */
    private static Span read(JsonParser parser) throws IOException {
        int from = (int) parser.currentTokenLocation().getCharOffset();
        parser.skipChildren();
        // A string is read to its end only when it is asked for.
        parser.finishToken();
        return new Span(from, (int) parser.currentLocation().getCharOffset());
    }

    private String in(Span span) {
        return json.substring(span.from, span.to);
    }

    /**
     * Whether a member could be written at a path of names.
     *
     * @throws NoObjectException if the path leads through something that is no object
     */
    void checkPlace(RecordPath path) throws NoObjectException {
        place(path);
    }

    /**
     * The document with a member, in the place of one that is there.
     *
     * @param path of names
     * @param value its value, a JSON document
     * @throws NoObjectException if the path leads through something that is no object
     */
    JsonText with(RecordPath path, String value) throws NoObjectException {
        Place place = place(path);
        return new JsonText(
                json.substring(0, place.span.from)
                        + place.before
                        + value
                        + place.after
                        + json.substring(place.span.to),
                start);
    }

    private Place place(RecordPath path) throws NoObjectException {
        List<Step> steps = path.steps();
        try (JsonParser parser = JSON.createParser(json)) {
            parser.nextToken();
            for (int i = 0; i < steps.size(); i++) {
                if (parser.currentToken() != JsonToken.START_OBJECT) {
                    throw new NoObjectException(
                            "%s is %s; allowed: an object, or no such field"
                                    .formatted(
                                            path.first(i),
                                            RequestFields.excerpt(in(read(parser)))));
                }
                int brace = (int) parser.currentLocation().getCharOffset();
                Span none = new Span(brace, brace);
                Optional<Span> last = seek(parser, steps.get(i).name(), none);
                if (last.isPresent()) {
                    return newMember(steps.subList(i, steps.size()), last.get(), none);
                }
            }
            return new Place(read(parser), "", "");
        } catch (IOException e) {
            throw new UncheckedIOException("a document that was read before", e);
        }
    }

    private static Place newMember(List<Step> steps, Span last, Span none) {
        StringBuilder before = new StringBuilder(last.equals(none) ? "" : ",");
        for (int i = 0; i < steps.size(); i++) {
            before.append(i > 0 ? "{" : "").append(quoted(steps.get(i).name())).append(':');
        }
        return new Place(
                new Span(last.to, last.to), before.toString(), "}".repeat(steps.size() - 1));
    }

    /** A text as a JSON string. */
    static String quoted(String text) {
        return '"' + String.valueOf(JsonStringEncoder.getInstance().quoteAsString(text)) + '"';
    }
}
