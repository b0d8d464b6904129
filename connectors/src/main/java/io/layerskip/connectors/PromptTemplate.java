package io.layerskip.connectors;

import io.layerskip.connectors.InvalidRequestException.ErrorClass;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.flink.annotation.PublicEvolving;

/**
 * A prompt with places for values of a JSON record.
 *
 * <pre>{@code
 * banking: {{message}}
 * Order {{order.items[0].name}} of {{customer.name|somebody}}:
 * }</pre>
 *
 * <p>A place names a path in the record: names with dots between them, and indices of arrays, from
 * 0, in brackets. A string's characters stand in its place, anything else as the record has it, as
 * JSON. Where the record has no such value, or null, the text after a bar does; without a bar the
 * record is refused. White space inside the braces does not count. {@code \{{} is two braces and no
 * place.
 *
 * <p>What comes from the record is never read as part of the template. Thread-safe.
 */
@PublicEvolving
public final class PromptTemplate implements Serializable {

    private static final long serialVersionUID = 1;

    private static final String OPENING = "{{";
    private static final String CLOSING = "}}";
    private static final char ESCAPE = '\\';

    private final String template;

    private transient List<Part> parts;

    /** A piece of the template, which takes its text from the record. */
    private interface Part {
        String text(JsonText record) throws InvalidRequestException;
    }

    /**
     * @param template with at least one place
     * @throws IllegalArgumentException if it cannot be read; says where
     */
    public PromptTemplate(String template) {
        this.template = template;
        this.parts = read(template);
    }

    private static List<Part> read(String template) {
        List<Part> parts = new ArrayList<>();
        StringBuilder text = new StringBuilder();
        int places = 0;
        int at = 0;
        while (at < template.length()) {
            if (template.charAt(at) == ESCAPE && template.startsWith(OPENING, at + 1)) {
                text.append(OPENING);
                at += 1 + OPENING.length();
            } else if (template.startsWith(OPENING, at)) {
                int end = template.indexOf(CLOSING, at);
                if (end < 0) {
                    throw new IllegalArgumentException(
                            "the {{ at character %d has no }}".formatted(at + 1));
                }
                String literal = text.toString();
                parts.add(record -> literal);
                text.setLength(0);
                parts.add(place(template.substring(at + OPENING.length(), end), at));
                places++;
                at = end + CLOSING.length();
            } else {
                text.append(template.charAt(at++));
            }
        }
        if (places == 0) {
            throw new IllegalArgumentException(
                    "it has no place for a field of the record, such as {{message}}");
        }
        String rest = text.toString();
        parts.add(record -> rest);
        return List.copyOf(parts);
    }

    private static Part place(String inside, int at) {
        int bar = inside.indexOf('|');
        String field = (bar < 0 ? inside : inside.substring(0, bar)).strip();
        RecordPath path;
        try {
            path = RecordPath.parse(field);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(
                    "the {{ at character %d names the field \"%s\"; allowed: a path such as"
                                    .formatted(at + 1, field)
                            + " message or customer.orders[0].id",
                    e);
        }
        Optional<String> otherwise =
                bar < 0 ? Optional.empty() : Optional.of(inside.substring(bar + 1).strip());
        return record -> valueOf(record, path, otherwise);
    }

    private static String valueOf(JsonText record, RecordPath path, Optional<String> otherwise)
            throws InvalidRequestException {
        String text =
                record.text(path)
                        .or(() -> otherwise)
                        .orElseThrow(
                                () ->
                                        new InvalidRequestException(
                                                ErrorClass.INVALID_RECORD,
                                                path
                                                        + " is missing or null; the prompt needs"
                                                        + " it"));
        return RequestFields.checkEncodable(path.toString(), text);
    }

    /**
     * The prompt of a record.
     *
     * @throws InvalidRequestException if the record lacks a field that has nothing to stand in for
     *     it, or the prompt is empty
     */
    String render(JsonText record) throws InvalidRequestException {
        if (parts == null) {
            parts = read(template);
        }
        StringBuilder prompt = new StringBuilder();
        for (Part part : parts) {
            prompt.append(part.text(record));
        }
        if (prompt.isEmpty()) {
            throw new InvalidRequestException(
                    ErrorClass.INVALID_RECORD, "the prompt of the record is empty");
        }
        return prompt.toString();
    }

    @Override
    public String toString() {
        return template;
    }
}
