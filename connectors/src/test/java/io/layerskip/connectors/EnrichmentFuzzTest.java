package io.layerskip.connectors;

import com.code_intelligence.jazzer.junit.FuzzTest;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.layerskip.connectors.RecordPath.Step;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * A record of any bytes is enriched or refused, whatever the prompt's template and the field to be
 * written are; and then the record says the same as before in all other fields.
 *
 * <p>An input is a template, a path and a record, each but the last with a line break after it.
 */
class EnrichmentFuzzTest {

    private static final String VALUE = "[\"written\"]";

    private static final JsonMapper JSON =
            JsonMapper.builder()
                    .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
                    .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                    .build();

    @FuzzTest(maxExecutions = 10_000)
    void enrichesOrRefuses(byte[] input) throws Exception {
        fuzzerTestOneInput(input);
    }

    /** For runs of any length, from the command line. */
    public static void fuzzerTestOneInput(byte[] input) throws Exception {
        String[] parts = new String(input, StandardCharsets.UTF_8).split("\n", 3);
        if (parts.length < 3) {
            return;
        }
        JsonText record;
        try {
            record = JsonText.parse(parts[2]);
        } catch (JsonProcessingException e) {
            return;
        }
        render(parts[0], record);
        if (record.isObject()) {
            write(parts[1], record);
        }
    }

    private static void render(String template, JsonText record) {
        try {
            new PromptTemplate(template).render(record);
        } catch (IllegalArgumentException | InvalidRequestException e) {
            // Refused, in words.
        }
    }

    private static void write(String field, JsonText record) throws Exception {
        RecordPath path;
        try {
            path = RecordPath.parse(field);
        } catch (IllegalArgumentException e) {
            return;
        }
        if (!path.hasOnlyNames()) {
            return;
        }
        JsonText written;
        try {
            written = record.with(path, VALUE);
        } catch (JsonText.NoObjectException e) {
            return;
        }
        JsonNode expected;
        try {
            expected = JSON.readTree(record.toString());
        } catch (JsonProcessingException e) {
            // A number that a tree cannot hold; the text is not read as one.
            return;
        }
        set(expected, path.steps());
        if (!JSON.readTree(written.toString()).equals(expected)
                || !JsonText.parse(written.toString()).text(path).orElseThrow().equals(VALUE)) {
            throw new IllegalStateException("written as " + written);
        }
    }

    private static void set(JsonNode record, List<Step> steps) throws JsonProcessingException {
        ObjectNode object = (ObjectNode) record;
        for (Step step : steps.subList(0, steps.size() - 1)) {
            object = object.withObjectProperty(step.name());
        }
        object.set(steps.get(steps.size() - 1).name(), JSON.readTree(VALUE));
    }
}
