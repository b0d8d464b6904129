package io.layerskip.model;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.MappingIterator;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** The model that the jobs module bundles, and the reference's greedy completions of it. */
public final class BundledModel {

    private static final Path MODELS = Path.of("..", "jobs", "src", "main", "resources", "models");

    private BundledModel() {}

    /** The Hugging Face folder. */
    public static Path folder() {
        return MODELS.resolve("layerskip-intents-9M");
    }

    /**
     * A copy of the folder with a chat template.
     *
     * @param folder for the copy
     */
    public static Path withChatTemplate(Path folder, String template) {
        try {
            copyTo(folder);
            Files.writeString(folder.resolve(ChatSettings.TEMPLATE_FILE), template);
            return folder;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /**
     * A copy of the folder that says other things: half of the weights of its final norm have the
     * other sign.
     *
     * @param folder for the copy
     */
    public static Path withOtherWeights(Path folder) {
        try {
            copyTo(folder);
            Path weights = folder.resolve("model.safetensors");
            byte[] bytes = Files.readAllBytes(weights);
            // The file ends with the final norm: 256 numbers of 16 bits, little-endian.
            for (int i = 1; i < 256; i += 2) {
                bytes[bytes.length - 2 * i + 1] ^= (byte) 0x80;
            }
            Files.write(weights, bytes);
            return folder;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void copyTo(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder())) {
            for (Path file : files.toList()) {
                Files.copy(file, folder.resolve(file.getFileName().toString()));
            }
        }
    }

    /** The 120 prompts of the golden file, in its order. */
    public static List<GoldenCase> goldenCases() {
        ObjectReader reader = new ObjectMapper().readerFor(GoldenCase.class);
        try (MappingIterator<GoldenCase> lines =
                reader.readValues(MODELS.resolve("layerskip-intents-9M.golden.jsonl").toFile())) {
            return lines.readAll();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /**
     * One prompt with what the reference makes of it, greedily.
     *
     * @param prompt the prompt's text
     * @param promptIds its token ids, bos first
     * @param completion the completion's text
     * @param completionIds its token ids, eos last
     * @param smallestGap the smallest distance between the two best logits along the way
     */
    @JsonIgnoreProperties(ignoreUnknown = true)
    public record GoldenCase(
            String prompt,
            @JsonProperty("prompt_ids") int[] promptIds,
            String completion,
            @JsonProperty("completion_ids") int[] completionIds,
            @JsonProperty("smallest_gap") double smallestGap) {

        @Override
        public String toString() {
            return prompt.strip();
        }
    }
}
