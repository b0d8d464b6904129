package io.layerskip.model;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.BitSet;

/**
 * Takes the special tokens out of a tokenizer.json.
 *
 * <p>A tokenizer looks for the {@code added_tokens} in every text first, so that whoever writes
 * "&lt;/s>" into a prompt has written the end of the sequence. Without those entries the same
 * characters are text; the tokens that the post-processor puts around a prompt stand there with
 * their ids and stay.
 */
final class SpecialTokens {

    private SpecialTokens() {}

    /**
     * The same file without them.
     *
     * @param json a tokenizer.json that {@link TokenizerVocabulary} has accepted
     * @param removed receives their ids
     */
    static byte[] remove(byte[] json, BitSet removed) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream(json.length);
        try (JsonParser parser = TokenizerVocabulary.JSON.createParser(json);
                JsonGenerator generator = TokenizerVocabulary.JSON.createGenerator(out)) {
            parser.nextToken();
            generator.writeStartObject();
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                if (!parser.currentName().equals("added_tokens")) {
                    generator.copyCurrentStructure(parser);
                    continue;
                }
                parser.nextToken();
                generator.writeArrayFieldStart("added_tokens");
                while (parser.nextToken() == JsonToken.START_OBJECT) {
                    JsonNode token = TokenizerVocabulary.JSON.readTree(parser);
                    if (token.path("special").asBoolean()) {
                        removed.set(token.path("id").asInt());
                    } else {
                        generator.writeTree(token);
                    }
                }
                generator.writeEndArray();
            }
            generator.writeEndObject();
        }
        return out.toByteArray();
    }
}
