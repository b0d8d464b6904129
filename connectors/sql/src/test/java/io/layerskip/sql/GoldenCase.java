package io.layerskip.sql;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.MappingIterator;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** One prompt for the bundled model with what the reference makes of it, greedily. */
@JsonIgnoreProperties(ignoreUnknown = true)
record GoldenCase(String prompt, String completion) {

    private static final Path MODELS =
            Path.of("..", "..", "jobs", "src", "main", "resources", "models").toAbsolutePath();

    /** The bundled model's folder. */
    static Path model() {
        return MODELS.resolve("layerskip-intents-9M").normalize();
    }

    /**
     * A copy of that folder with a chat template.
     *
     * @param folder for the copy
     */
    static Path modelWithChatTemplate(Path folder, String template) throws IOException {
        try (Stream<Path> files = Files.list(model())) {
            for (Path file : files.toList()) {
                Files.copy(file, folder.resolve(file.getFileName().toString()));
            }
        }
        Files.writeString(folder.resolve("chat_template.jinja"), template);
        return folder;
    }

    /** All 120 of them. */
    static List<GoldenCase> all() {
        try (MappingIterator<GoldenCase> lines =
                new JsonMapper()
                        .readerFor(GoldenCase.class)
                        .readValues(MODELS.resolve("layerskip-intents-9M.golden.jsonl").toFile())) {
            return lines.readAll();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
