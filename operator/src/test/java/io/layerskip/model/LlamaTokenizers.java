package io.layerskip.model;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.MappingIterator;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** The tokenizers of Llama 2 and 3, where they lie beside the repository: they stay out of it. */
public enum LlamaTokenizers {
    LLAMA_2("llama-2", 32_000),
    LLAMA_3("llama-3", 128_256);

    private static final Path FOLDER = Path.of("..", "..", "shared", "tokenizers");

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
