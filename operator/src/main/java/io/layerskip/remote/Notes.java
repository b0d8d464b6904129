package io.layerskip.remote;

import com.fasterxml.jackson.databind.json.JsonMapper;
import io.layerskip.forward.TrustedFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Small files of JSON in the cache folder, by which a later process knows what was done. */
final class Notes {

    private static final Logger LOG = LoggerFactory.getLogger(Notes.class);

    private static final JsonMapper JSON = new JsonMapper();

    private Notes() {}

    /** Reads a note; empty if there is none or it is damaged, so that the work is done again. */
    static <T> Optional<T> read(Path file, Class<T> type) {
        if (!Files.exists(file)) {
            return Optional.empty();
        }
        try {
            return Optional.of(JSON.readValue(Files.readAllBytes(file), type));
        } catch (IOException e) {
            LOG.warn("{} cannot be read, and is done without", file, e);
            return Optional.empty();
        }
    }

    /** Writes a note whole or not at all. */
    static void write(Path file, Object content) throws IOException {
        TrustedFolder.replace(file, part -> Files.write(part, JSON.writeValueAsBytes(content)));
    }
}
