package io.layerskip.model;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * Changes a tokenizer.json before the tokenizer reads it.
 *
 * <p>A tokenizer looks for the {@code added_tokens} in every text first, so that whoever writes
 * "&lt;/s>" into a prompt has written the end of the sequence. Without those entries, or with other
 * texts in them, the same characters are text; the tokens that the post-processor puts around a
 * prompt stand there with their ids and stay.
 *
 * @param removed which added tokens are left out, by their ids
 * @param renamed which added tokens get another text, by their ids
 * @param postProcessor in place of the file's; empty to keep that one
 */
record TokenizerEdits(
        BitSet removed, Map<Integer, String> renamed, Optional<ObjectNode> postProcessor) {

    /** Whether the file stays as it is. */
    boolean isEmpty() {
        return removed.isEmpty() && renamed.isEmpty() && postProcessor.isEmpty();
    }

    /**
     * The file with these changes.
     *
     * @param json a tokenizer.json that {@link TokenizerVocabulary} has accepted
     * @param addedTokens its added tokens: ids by their texts
     */
    byte[] apply(byte[] json, Map<String, Integer> addedTokens) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream(json.length);
        try (JsonParser parser = TokenizerVocabulary.JSON.createParser(json);
                JsonGenerator generator = TokenizerVocabulary.JSON.createGenerator(out)) {
            parser.nextToken();
            generator.writeStartObject();
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                String field = parser.currentName();
                if (field.equals("added_tokens")) {
                    parser.nextToken();
                    copyAddedTokens(parser, generator);
                } else if (field.equals("model") && !renamed.isEmpty()) {
                    parser.nextToken();
                    copyModel(parser, generator, addedTokens);
                } else if (field.equals("post_processor") && postProcessor.isPresent()) {
                    parser.nextToken();
                    parser.skipChildren();
                } else {
                    generator.copyCurrentStructure(parser);
                }
            }
            if (postProcessor.isPresent()) {
                generator.writeFieldName("post_processor");
                generator.writeTree(postProcessor.get());
            }
            generator.writeEndObject();
        }
        return out.toByteArray();
    }

    private void copyAddedTokens(JsonParser parser, JsonGenerator generator) throws IOException {
        generator.writeArrayFieldStart("added_tokens");
        while (parser.nextToken() == JsonToken.START_OBJECT) {
            JsonNode token = TokenizerVocabulary.JSON.readTree(parser);
            int id = token.path("id").asInt();
            if (renamed.containsKey(id)) {
                ((ObjectNode) token).put("content", renamed.get(id));
            }
            if (!removed.get(id)) {
                generator.writeTree(token);
            }
        }
        generator.writeEndArray();
    }

    private void copyModel(
            JsonParser parser, JsonGenerator generator, Map<String, Integer> addedTokens)
            throws IOException {
        generator.writeObjectFieldStart("model");
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
            if (!parser.currentName().equals("vocab")) {
                generator.copyCurrentStructure(parser);
            } else if (parser.nextToken() == JsonToken.START_OBJECT) {
                copyVocabulary(parser, generator, addedTokens);
            } else {
                copyPieces(parser, generator);
            }
        }
        generator.writeEndObject();
    }

    /**
     * An added token that is not in the vocabulary gets the next id that is free, whatever id it
     * says, so all of them are put there: the renamed ones under both texts, as the old one may be
     * named elsewhere.
     */
    private void copyVocabulary(
            JsonParser parser, JsonGenerator generator, Map<String, Integer> addedTokens)
            throws IOException {
        Map<String, Integer> missing = new HashMap<>();
        addedTokens.forEach(
                (text, id) -> {
                    if (!removed.get(id)) {
                        missing.put(renamed.getOrDefault(id, text), id);
                    }
                });
        generator.writeObjectFieldStart("vocab");
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
            missing.remove(parser.currentName());
            generator.copyCurrentStructure(parser);
        }
        for (Map.Entry<String, Integer> token : missing.entrySet()) {
            generator.writeNumberField(token.getKey(), token.getValue());
        }
        generator.writeEndObject();
    }

    /** A list of texts with scores, whose places are the ids. */
    private void copyPieces(JsonParser parser, JsonGenerator generator) throws IOException {
        generator.writeArrayFieldStart("vocab");
        for (int id = 0; parser.nextToken() == JsonToken.START_ARRAY; id++) {
            ArrayNode piece = TokenizerVocabulary.JSON.readTree(parser);
            if (renamed.containsKey(id)) {
                piece.set(0, TextNode.valueOf(renamed.get(id)));
            }
            generator.writeTree(piece);
        }
        generator.writeEndArray();
    }
}
