package io.layerskip.model;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Set;
import java.util.function.Predicate;

/**
 * How few tokens a text can have, by its length: none is longer than the vocabulary's longest.
 *
 * <p>That holds where every character of a text ends up in some token, as in the tokenizers of
 * Llama: those that shorten the text first, drop white space or take any number of unknown
 * characters for one token have no bound here.
 */
final class TokenCountBound {

    private static final Set<String> PRE_TOKENIZERS_THAT_KEEP_ALL =
            Set.of("ByteLevel", "Metaspace", "Digits");

    private final int longestToken;

    private TokenCountBound(int longestToken) {
        this.longestToken = longestToken;
    }

    /** For a tokenizer that allows no bound. */
    static TokenCountBound none() {
        return new TokenCountBound(Integer.MAX_VALUE);
    }

    /**
     * For a byte-pair encoding; none where it loses characters.
     *
     * @param longestToken in UTF-16 units, at least 1
     * @param hasAllBytes whether the vocabulary has a token for each byte, {@code <0x00>} to {@code
     *     <0xFF>}
     * @param hasByteAlphabet whether it has a token for each character that stands for a byte in
     *     byte-level encodings
     * @param settings everything in tokenizer.json but the vocabulary
     */
    static TokenCountBound of(
            int longestToken, boolean hasAllBytes, boolean hasByteAlphabet, JsonNode settings) {
        JsonNode model = settings.path("model");
        JsonNode normalizer = settings.path("normalizer");
        JsonNode preTokenizer = settings.path("pre_tokenizer");
        boolean isByteLevel =
                normalizer.toString().contains("\"ByteLevel\"")
                        || preTokenizer.toString().contains("\"ByteLevel\"");
        // Without a token for them, unknown characters are dropped.
        boolean knowsAll =
                model.path("byte_fallback").asBoolean() && hasAllBytes
                        || isByteLevel && hasByteAlphabet
                        || model.path("unk_token").isTextual()
                                && !model.path("fuse_unk").asBoolean();
        boolean keepsAll =
                model.path("type").asText().equals("BPE")
                        && knowsAll
                        && normalizerKeepsAll(normalizer)
                        && preTokenizerKeepsAll(preTokenizer)
                        && settings.path("added_tokens").findValues("lstrip").stream()
                                .noneMatch(JsonNode::asBoolean)
                        && settings.path("added_tokens").findValues("rstrip").stream()
                                .noneMatch(JsonNode::asBoolean);
        // An added token may be looked for with what is put in front of every text.
        int prepended =
                normalizer.findValuesAsText("prepend").stream().mapToInt(String::length).sum();
        return keepsAll ? new TokenCountBound(longestToken + prepended) : none();
    }

    private static boolean normalizerKeepsAll(JsonNode normalizer) {
        return switch (normalizer.path("type").asText()) {
            case "Sequence" ->
                    all(normalizer.path("normalizers"), TokenCountBound::normalizerKeepsAll);
            case "Prepend", "ByteLevel" -> true;
            case "Replace" -> {
                JsonNode pattern = normalizer.path("pattern").path("String");
                yield pattern.isTextual()
                        && normalizer.path("content").asText().length()
                                >= pattern.textValue().length();
            }
            default -> isNone(normalizer);
        };
    }

    private static boolean preTokenizerKeepsAll(JsonNode preTokenizer) {
        String type = preTokenizer.path("type").asText();
        return switch (type) {
            case "Sequence" ->
                    all(preTokenizer.path("pretokenizers"), TokenCountBound::preTokenizerKeepsAll);
            case "Split", "Punctuation" ->
                    !preTokenizer.path("behavior").asText().equals("Removed");
            default -> isNone(preTokenizer) || PRE_TOKENIZERS_THAT_KEEP_ALL.contains(type);
        };
    }

    private static boolean isNone(JsonNode part) {
        return part.isNull() || part.isMissingNode();
    }

    private static boolean all(JsonNode parts, Predicate<JsonNode> test) {
        for (JsonNode part : parts) {
            if (!test.test(part)) {
                return false;
            }
        }
        return true;
    }

    /** The fewest tokens that a text can have, not counting special tokens put around it. */
    int leastTokens(String text) {
        int characters = text.codePointCount(0, text.length());
        // A unit of a token stands for a character at the most, and a character has one or two.
        return characters / longestToken;
    }
}
