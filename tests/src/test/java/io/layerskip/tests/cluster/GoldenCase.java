package io.layerskip.tests.cluster;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.MappingIterator;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.layerskip.jobs.GenerationJob;
import java.io.IOException;
import java.io.InputStream;
import java.util.List;

/** A prompt that comes with the bundled model, and what the reference makes of it, greedily. */
@JsonIgnoreProperties(ignoreUnknown = true)
public record GoldenCase(
        String prompt,
        @JsonProperty("prompt_ids") List<Integer> promptIds,
        String completion,
        @JsonProperty("completion_ids") List<Integer> completionIds) {

    /** All 120 of them. */
    public static List<GoldenCase> all() throws IOException {
        try (InputStream file =
                        GenerationJob.class.getResourceAsStream(
                                "/models/layerskip-intents-9M.golden.jsonl");
                MappingIterator<GoldenCase> cases =
                        new JsonMapper().readerFor(GoldenCase.class).readValues(file)) {
            return cases.readAll();
        }
    }
}
