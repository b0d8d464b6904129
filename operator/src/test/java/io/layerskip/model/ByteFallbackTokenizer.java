package io.layerskip.model;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A small tokenizer.json built like Llama 2's: a space is {@code U+2581}, one stands before every
 * text, and what is not in the vocabulary, a newline for example, is its UTF-8 bytes, a token each.
 */
public final class ByteFallbackTokenizer {

    public static final int VOCAB_SIZE = 300;

    private static final ObjectMapper JSON = new ObjectMapper();

    private ByteFallbackTokenizer() {}

    /** Writes tokenizer.json into a folder, which it makes where there is none. */
    public static Path write(Path folder) throws IOException {
        Files.createDirectories(folder);
        Path file = folder.resolve("tokenizer.json");
        JSON.writeValue(file.toFile(), json());
        return file;
    }

    static ObjectNode json() throws IOException {
        ObjectNode tokenizer =
                (ObjectNode)
                        JSON.readTree(
                                """
                                {"version": "1.0",
                                 "normalizer": {"type": "Sequence", "normalizers": [
                                   {"type": "Prepend", "prepend": "\u2581"},
                                   {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]},
                                 "pre_tokenizer": null,
                                 "post_processor": {"type": "TemplateProcessing",
                                   "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
                                              {"Sequence": {"id": "A", "type_id": 0}}],
                                   "pair": [{"Sequence": {"id": "A", "type_id": 0}},
                                            {"Sequence": {"id": "B", "type_id": 1}}],
                                   "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
                                 "decoder": {"type": "Sequence", "decoders": [
                                   {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
                                   {"type": "ByteFallback"}, {"type": "Fuse"},
                                   {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
                                 "added_tokens": [],
                                 "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": true,
                                   "byte_fallback": true, "vocab": {}, "merges": []}}
                                """);
        ObjectNode model = tokenizer.withObjectProperty("model");
        ObjectNode vocabulary = model.withObjectProperty("vocab");
        ArrayNode added = tokenizer.withArray("added_tokens");
        for (String special : new String[] {"<unk>", "<s>", "</s>"}) {
            added.addObject()
                    .put("id", vocabulary.size())
                    .put("content", special)
                    .put("single_word", false)
                    .put("lstrip", false)
                    .put("rstrip", false)
                    .put("normalized", false)
                    .put("special", true);
            vocabulary.put(special, vocabulary.size());
        }
        for (int value = 0; value < 256; value++) {
            vocabulary.put("<0x%02X>".formatted(value), vocabulary.size());
        }
        for (char letter = 'a'; letter <= 'z'; letter++) {
            vocabulary.put(Character.toString(letter), vocabulary.size());
        }
        for (String token : new String[] {"\u2581", "é", "\u2581a", "\u2581\u2581", "ok"}) {
            vocabulary.put(token, vocabulary.size());
        }
        model.withArray("merges").add("\u2581 a").add("\u2581 \u2581").add("o k");
        return tokenizer;
    }
}
