package io.layerskip.cli;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.MappingIterator;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.util.List;

/**
 * A prompt that comes with the bundled model, and what the reference makes of it, greedily.
 *
 * @param prompt the prompt's text
 * @param completion the reference's completion
 */
@JsonIgnoreProperties(ignoreUnknown = true)
record GoldenPrompt(String prompt, String completion) {

    private static final String RESOURCE = "models/layerskip-intents-9M.golden.jsonl";

    /** All 120 of them. */
    static List<GoldenPrompt> all() throws IOException {
        try (InputStream lines =
                GoldenPrompt.class.getClassLoader().getResourceAsStream(RESOURCE)) {
            if (lines == null) {
                throw new FileNotFoundException("no " + RESOURCE + " on the class path");
            }
            try (MappingIterator<GoldenPrompt> prompts =
                    new JsonMapper().readerFor(GoldenPrompt.class).readValues(lines)) {
                return prompts.readAll();
            }
        }
    }
}
