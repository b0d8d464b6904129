package io.layerskip.model;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What tokenizer_config.json says beyond tokenizer.json. With {@code add_bos_token} or {@code
 * add_eos_token} in it, those say which tokens stand around a prompt, not tokenizer.json's
 * post-processor; one that is missing beside the other counts as false, as in transformers.
 *
 * @param padToken fills batches in training, and so may lie beyond the model's vocabulary
 * @param hasChatTemplate whether it has any, read or not
 */
record TokenizerConfig(
        Optional<String> padToken,
        Optional<String> bosToken,
        Optional<String> eosToken,
        Optional<Boolean> addBosToken,
        Optional<Boolean> addEosToken,
        boolean hasChatTemplate) {

    static final String FILE = "tokenizer_config.json";
    static final int MAX_FILE_BYTES = 16 << 20;

    /**
     * The configuration beside a tokenizer.json; one that says nothing where there is none.
     *
     * @throws CheckpointException if a field has another type
     */
    static TokenizerConfig beside(Path tokenizer) throws CheckpointException {
        Path file = tokenizer.resolveSibling(FILE);
        if (!Files.exists(file)) {
            return new TokenizerConfig(
                    Optional.empty(),
                    Optional.empty(),
                    Optional.empty(),
                    Optional.empty(),
                    Optional.empty(),
                    false);
        }
        JsonFields fields = JsonFields.read(file, MAX_FILE_BYTES);
        return new TokenizerConfig(
                token(fields, "pad_token"),
                token(fields, "bos_token"),
                token(fields, "eos_token"),
                flag(fields, "add_bos_token"),
                flag(fields, "add_eos_token"),
                fields.has(ChatSettings.TEMPLATE_FIELD));
    }

    /** A string, or an object that describes an added token. */
    static Optional<String> token(JsonFields fields, String field) throws CheckpointException {
        return fields.isText(field)
                ? fields.text(field)
                : fields.object(field).isPresent()
                        ? fields.object(field).get().text("content")
                        : Optional.empty();
    }

    /** A list of strings, or of objects that describe added tokens. */
    static List<String> tokens(JsonFields fields, String field) throws CheckpointException {
        if (!fields.isListOfObjects(field)) {
            return fields.texts(field);
        }
        List<String> tokens = new ArrayList<>();
        for (JsonFields token : fields.objects(field)) {
            token.text("content").ifPresent(tokens::add);
        }
        return tokens;
    }

    private static Optional<Boolean> flag(JsonFields fields, String field)
            throws CheckpointException {
        return fields.has(field) ? Optional.of(fields.flag(field, false)) : Optional.empty();
    }

    /**
     * What puts the wanted tokens around a prompt, as tokenizer.json would say it; empty if this
     * file leaves it to that one.
     *
     * @param ids of the added tokens
     * @throws CheckpointException if a token is wanted that is not among them
     */
    Optional<ObjectNode> postProcessor(Map<String, Integer> ids) throws CheckpointException {
        if (addBosToken.isEmpty() && addEosToken.isEmpty()) {
            return Optional.empty();
        }
        ObjectNode processor = JsonNodeFactory.instance.objectNode();
        processor.put("type", "TemplateProcessing");
        ArrayNode single = processor.putArray("single");
        ObjectNode tokens = JsonNodeFactory.instance.objectNode();
        if (addBosToken.orElse(false)) {
            addToken("bos_token", bosToken, ids, single, tokens);
        }
        addPart(single, "Sequence", "A", 0);
        if (addEosToken.orElse(false)) {
            addToken("eos_token", eosToken, ids, single, tokens);
        }
        ArrayNode pair = processor.putArray("pair");
        addPart(pair, "Sequence", "A", 0);
        addPart(pair, "Sequence", "B", 1);
        processor.set("special_tokens", tokens);
        return Optional.of(processor);
    }

    private static void addToken(
            String field,
            Optional<String> token,
            Map<String, Integer> ids,
            ArrayNode single,
            ObjectNode tokens)
            throws CheckpointException {
        if (token.isEmpty() || !ids.containsKey(token.get())) {
            throw new CheckpointException(
                    "%s: add_%s is true and %s is %s, expected an added token of tokenizer.json"
                            .formatted(FILE, field, field, token.orElse("missing")));
        }
        addPart(single, "SpecialToken", token.get(), 0);
        ObjectNode described = tokens.putObject(token.get());
        described.put("id", token.get());
        described.putArray("ids").add(ids.get(token.get()));
        described.putArray("tokens").add(token.get());
    }

    private static void addPart(ArrayNode template, String kind, String id, int typeId) {
        template.addObject().putObject(kind).put("id", id).put("type_id", typeId);
    }
}
