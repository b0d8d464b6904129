package io.layerskip.model;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Optional;
import java.util.function.IntPredicate;

/**
 * Changes a tokenizer.json before the tokenizer reads it.
 *
 * <p>A tokenizer looks for the {@code added_tokens} in every text first, so that whoever writes
 * "&lt;/s>" into a prompt has written the end of the sequence. Without those entries the same
 * characters are text; the tokens that the post-processor puts around a prompt stand there with
 * their ids and stay.
 */
final class TokenizerEdits {

    private TokenizerEdits() {}

    /**
     * The same file with other added tokens and another post-processor.
     *
     * @param json a tokenizer.json that {@link TokenizerVocabulary} has accepted
     * @param removed which added tokens are left out, by their ids
     * @param postProcessor in place of the file's; empty to keep that one
     */
    static byte[] apply(byte[] json, IntPredicate removed, Optional<ObjectNode> postProcessor)
            throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream(json.length);
        try (JsonParser parser = TokenizerVocabulary.JSON.createParser(json);
                JsonGenerator generator = TokenizerVocabulary.JSON.createGenerator(out)) {
            parser.nextToken();
            generator.writeStartObject();
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                String field = parser.currentName();
                if (field.equals("added_tokens")) {
                    parser.nextToken();
                    copyAddedTokens(parser, generator, removed);
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

    private static void copyAddedTokens(
            JsonParser parser, JsonGenerator generator, IntPredicate removed) throws IOException {
        generator.writeArrayFieldStart("added_tokens");
        while (parser.nextToken() == JsonToken.START_OBJECT) {
            JsonNode token = TokenizerVocabulary.JSON.readTree(parser);
            if (!removed.test(token.path("id").asInt())) {
                generator.writeTree(token);
            }
        }
        generator.writeEndArray();
    }
}
