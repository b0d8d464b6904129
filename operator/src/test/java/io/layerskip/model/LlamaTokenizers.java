package io.layerskip.model;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MappingIterator;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The tokenizers of Llama 2 and 3, where they lie beside the repository: they stay out of it. */
public enum LlamaTokenizers {
    LLAMA_2("llama-2", 32_000),
    LLAMA_3("llama-3", 128_256);

    /** Where what is published lies. */
    public static final Path FOLDER = Path.of("..", "..", "shared", "tokenizers");

    private final String name;
    private final int vocabSize;

    LlamaTokenizers(String name, int vocabSize) {
        this.name = name;
        this.vocabSize = vocabSize;
    }

    /** What an independent implementation makes of a text; special tokens in it are tokens. */
    @JsonIgnoreProperties(ignoreUnknown = true)
    public record Case(String text, int[] ids, String decoded) {}

    /** Whether they are there. */
    public static boolean areThere() {
        return Files.isDirectory(FOLDER);
    }

    /** The tokenizer, which takes the text of a special token for that token. */
    public Tokenizer open() throws IOException {
        return open(FOLDER.resolve(name).resolve("tokenizer.json"), vocabSize);
    }

    /**
     * The tokenizer of a checkpoint with a chat template, to which a special token in a prompt is
     * text.
     *
     * @param folder for the checkpoint
     */
    public Tokenizer openForChats(Path folder) throws IOException {
        Files.writeString(folder.resolve(ChatSettings.TEMPLATE_FILE), "{{ messages }}");
        return openWithoutTemplate(folder);
    }

    /** The same of a checkpoint without one. */
    public Tokenizer openWithoutTemplate(Path folder) throws IOException {
        Path file = folder.resolve("tokenizer.json");
        Files.copy(FOLDER.resolve(name).resolve("tokenizer.json"), file);
        return DjlTokenizer.open(file, vocabSize, true);
    }

    /** The texts of the special tokens by their ids. */
    public Map<Integer, String> specialTokens() throws IOException {
        Map<Integer, String> tokens = new HashMap<>();
        for (JsonNode token :
                new ObjectMapper()
                        .readTree(FOLDER.resolve(name).resolve("tokenizer.json").toFile())
                        .get("added_tokens")) {
            tokens.put(token.get("id").asInt(), token.get("content").asText());
        }
        return tokens;
    }

    /** Any tokenizer, likewise. */
    public static Tokenizer open(Path file, int vocabSize) throws IOException {
        return DjlTokenizer.open(file, vocabSize, false);
    }

    /** The texts. */
    public List<Case> cases() throws IOException {
        try (MappingIterator<Case> lines =
                new ObjectMapper()
                        .readerFor(Case.class)
                        .readValues(FOLDER.resolve(name).resolve("cases.jsonl").toFile())) {
            return lines.readAll();
        }
    }
}
