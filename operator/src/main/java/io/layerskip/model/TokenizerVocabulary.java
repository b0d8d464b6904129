package io.layerskip.model;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The tokens of a tokenizer.json, checked against the model's vocabulary.
 *
 * <p>They stand in three places: {@code model.vocab}, an object from token to id; the same as a
 * list, whose places are the ids, where the model is a Unigram; and {@code added_tokens}, a list of
 * {@code {"id": 0, "content": "<s>", ...}}. The file is read as a stream of tokens: a vocabulary
 * may have hundreds of thousands.
 */
final class TokenizerVocabulary {

    /** Without a table of names, which would take in the whole vocabulary. */
    static final ObjectMapper JSON =
            new ObjectMapper(
                    JsonFactory.builder()
                            .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
                            .build());

    private static final int BYTES = 256;

    /** More than any model has; an id that is not the model's may be as large as this. */
    private static final int MOST_IDS = 1 << 24;

    private static final Pattern BYTE = Pattern.compile("<0x([0-9A-F]{2})>");

    private final String file;
    private final int vocabSize;
    private final Optional<String> padToken;

    /** Everything but the vocabulary. */
    private final ObjectNode settings = JSON.createObjectNode();

    private int longestToken = 1;
    private final BitSet byteTokens = new BitSet(BYTES);
    private final BitSet byteAlphabet = new BitSet();
    private final BitSet continuationBytes = new BitSet();
    private final Map<String, Integer> addedTokens = new HashMap<>();
    private final BitSet specialTokens = new BitSet();
    private final BitSet padding = new BitSet();

    private TokenizerVocabulary(String file, int vocabSize, Optional<String> padToken) {
        this.file = file;
        this.vocabSize = vocabSize;
        this.padToken = padToken;
    }

    /**
     * Reads the tokens, and refuses a tokenizer with an id outside [0, vocabSize), except for the
     * token that fills batches in training.
     *
     * @param file the file's name, for messages
     * @param json the file's content
     * @param padToken that token's text
     * @throws CheckpointException naming the token and its id; or if this is no JSON object
     */
    static TokenizerVocabulary read(
            String file, byte[] json, int vocabSize, Optional<String> padToken)
            throws CheckpointException {
        try (JsonParser parser = JSON.createParser(json)) {
            TokenizerVocabulary vocabulary = new TokenizerVocabulary(file, vocabSize, padToken);
            vocabulary.check(parser);
            return vocabulary;
        } catch (CheckpointException e) {
            throw e;
        } catch (JsonProcessingException e) {
            throw new CheckpointException(
                    "%s is not JSON: %s".formatted(file, e.getOriginalMessage()), e);
        } catch (IOException e) {
            throw new CheckpointException("%s is not JSON: %s".formatted(file, e), e);
        }
    }

    /** How few tokens a text can have with this vocabulary. */
    TokenCountBound bound() {
        return TokenCountBound.of(
                longestToken,
                byteTokens.cardinality() == BYTES,
                byteAlphabet.cardinality() == BYTES,
                settings);
    }

    /** The ids of the added tokens, by their texts. */
    Map<String, Integer> addedTokens() {
        return addedTokens;
    }

    /** The ids of the special ones among the added tokens. */
    BitSet specialTokens() {
        return specialTokens;
    }

    /**
     * The ids of the added tokens that are not to be found in a text: the one that fills batches,
     * if the model has no such id, and the special ones if their texts are text like any other.
     */
    BitSet hiddenTokens(boolean splitSpecialTokens) {
        BitSet hidden = (BitSet) padding.clone();
        if (splitSpecialTokens) {
            hidden.or(specialTokens);
        }
        return hidden;
    }

    /**
     * The ids of the tokens that stand for a byte inside a UTF-8 character, where the tokenizer has
     * a token for each byte of the characters that it does not know.
     */
    BitSet continuationBytes() {
        return continuationBytes;
    }

    private void check(JsonParser parser) throws IOException {
        if (parser.nextToken() != JsonToken.START_OBJECT) {
            throw new CheckpointException(file + " does not hold a JSON object");
        }
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
            String field = parser.currentName();
            parser.nextToken();
            switch (field) {
                case "added_tokens" -> checkAddedTokens(parser);
                case "model" -> checkModel(parser);
                default -> settings.set(field, JSON.readTree(parser));
            }
        }
    }

    private void checkAddedTokens(JsonParser parser) throws IOException {
        while (parser.nextToken() == JsonToken.START_OBJECT) {
            JsonNode token = JSON.readTree(parser);
            settings.withArray("added_tokens").add(token);
            String content = token.path("content").asText();
            JsonNode id = token.path("id");
            boolean isPadding =
                    padToken.equals(Optional.of(content))
                            && id.isInt()
                            && id.intValue() >= vocabSize
                            && id.intValue() < MOST_IDS;
            if (!isPadding) {
                checkId(token.path("content").toString(), id);
            }
            addedTokens.put(content, id.intValue());
            if (isPadding) {
                padding.set(id.intValue());
            } else if (token.path("special").asBoolean()) {
                specialTokens.set(id.intValue());
            }
            longestToken = Math.max(longestToken, content.length());
        }
    }

    private void checkModel(JsonParser parser) throws IOException {
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
            String field = parser.currentName();
            JsonToken value = parser.nextToken();
            if (value.isScalarValue()) {
                settings.withObject("/model").set(field, JSON.readTree(parser));
            } else if (!field.equals("vocab")) {
                parser.skipChildren();
            } else if (value == JsonToken.START_OBJECT) {
                while (parser.nextToken() == JsonToken.FIELD_NAME) {
                    String token = parser.currentName();
                    parser.nextToken();
                    JsonNode id = JSON.readTree(parser);
                    checkId('"' + token + '"', id);
                    note(token, id.intValue());
                }
            } else {
                for (int id = 0; parser.nextToken() == JsonToken.START_ARRAY; id++) {
                    JsonNode tokenAndScore = JSON.readTree(parser);
                    checkId(tokenAndScore.path(0).toString(), JSON.getNodeFactory().numberNode(id));
                }
            }
        }
    }

    private void note(String token, int id) {
        longestToken = Math.max(longestToken, token.length());
        if (token.length() == 1 && isOfByteAlphabet(token.charAt(0))) {
            byteAlphabet.set(token.charAt(0));
        } else if (token.startsWith("<0x")) {
            Matcher matcher = BYTE.matcher(token);
            if (matcher.matches()) {
                int value = Integer.parseInt(matcher.group(1), 16);
                byteTokens.set(value);
                continuationBytes.set(id, (value & 0xc0) == 0x80);
            }
        }
    }

    /** Whether a character stands for a byte as in GPT-2: itself, or the n-th that is none. */
    private static boolean isOfByteAlphabet(char c) {
        return c >= '!' && c <= '~'
                || c >= 0xa1 && c <= 0xac
                || c >= 0xae && c <= 0xff
                || c >= 0x100 && c <= 0x143;
    }

    private void checkId(String token, JsonNode id) throws CheckpointException {
        if (!id.isInt() || id.intValue() < 0 || id.intValue() >= vocabSize) {
            throw new CheckpointException(
                    "%s: token %s has id %s, config.json has vocab_size %d"
                            .formatted(file, token, id, vocabSize));
        }
    }
}
