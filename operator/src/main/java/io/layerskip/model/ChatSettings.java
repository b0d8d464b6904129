package io.layerskip.model;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.flink.annotation.PublicEvolving;

/**
 * What a checkpoint folder says of chats: its templates, as text, and the special tokens that they
 * name. A template is {@value #TEMPLATE_FILE} or, where there is no such file, the field {@code
 * chat_template} of tokenizer_config.json: a string, or a list of {@code {"name": "default",
 * "template": "..."}}.
 *
 * @param file the name of the file that holds the templates
 * @param templates by their names; {@value #DEFAULT} where there is only one
 * @param specialTokens by the names of their fields, such as {@code bos_token}
 * @param additionalSpecialTokens those that have no field of their own
 */
@PublicEvolving
public record ChatSettings(
        String file,
        Map<String, String> templates,
        Map<String, String> specialTokens,
        List<String> additionalSpecialTokens) {

    /** The name of the template that is used. */
    public static final String DEFAULT = "default";

    /** The file that holds a template and nothing else. */
    public static final String TEMPLATE_FILE = "chat_template.jinja";

    static final String TEMPLATE_FIELD = "chat_template";
    static final int MAX_TEMPLATE_BYTES = 1 << 20;

    private static final List<String> TOKEN_FIELDS =
            List.of(
                    "bos_token",
                    "eos_token",
                    "unk_token",
                    "sep_token",
                    "pad_token",
                    "cls_token",
                    "mask_token");

    public ChatSettings {
        templates = Map.copyOf(templates);
        specialTokens = Map.copyOf(specialTokens);
        additionalSpecialTokens = List.copyOf(additionalSpecialTokens);
    }

    /** A checkpoint's files by their names. */
    @FunctionalInterface
    private interface FileReader {
        Optional<byte[]> read(String name, int maxBytes) throws IOException;
    }

    /**
     * Reads the settings of a folder; empty if it has no template.
     *
     * @throws CheckpointException if a file or field is not what it should be
     */
    static Optional<ChatSettings> read(Path folder) throws CheckpointException {
        try {
            return read(
                    (name, maxBytes) ->
                            Files.exists(folder.resolve(name))
                                    ? Optional.of(BoundedFile.read(folder.resolve(name), maxBytes))
                                    : Optional.empty());
        } catch (CheckpointException e) {
            throw e;
        } catch (IOException e) {
            throw new CheckpointException("%s cannot be read: %s".formatted(folder, e), e);
        }
    }

    /**
     * Reads the settings of a checkpoint, without opening the rest of it; empty if it has no
     * template.
     *
     * @param loader looks for a location on the class path
     * @throws CheckpointException if a field is not what it should be
     * @throws IOException if a file cannot be read
     */
    public static Optional<ChatSettings> read(ModelLocation model, ClassLoader loader)
            throws IOException {
        return read((name, maxBytes) -> content(model, loader, name, maxBytes));
    }

    private static Optional<byte[]> content(
            ModelLocation model, ClassLoader loader, String name, int maxBytes) throws IOException {
        InputStream in;
        try {
            in = model.openFile(name, loader);
        } catch (CheckpointException e) {
            return Optional.empty();
        }
        try (in) {
            return Optional.of(BoundedFile.read(name, in, maxBytes));
        }
    }

    private static Optional<ChatSettings> read(FileReader files) throws IOException {
        Optional<byte[]> config = files.read(TokenizerConfig.FILE, TokenizerConfig.MAX_FILE_BYTES);
        Optional<JsonFields> fields =
                config.isPresent()
                        ? Optional.of(JsonFields.parse(TokenizerConfig.FILE, config.get()))
                        : Optional.empty();
        Optional<byte[]> template = files.read(TEMPLATE_FILE, MAX_TEMPLATE_BYTES);
        if (template.isPresent()) {
            return Optional.of(of(TEMPLATE_FILE, Map.of(DEFAULT, decode(template.get())), fields));
        }
        return fields.isPresent() && fields.get().has(TEMPLATE_FIELD)
                ? Optional.of(of(TokenizerConfig.FILE, templates(fields.get()), fields))
                : Optional.empty();
    }

    private static String decode(byte[] template) throws CheckpointException {
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(template)).toString();
        } catch (CharacterCodingException e) {
            throw new CheckpointException(TEMPLATE_FILE + " is not UTF-8: " + e.getMessage(), e);
        }
    }

    private static Map<String, String> templates(JsonFields fields) throws CheckpointException {
        if (fields.isText(TEMPLATE_FIELD)) {
            return Map.of(DEFAULT, fields.text(TEMPLATE_FIELD).orElseThrow());
        }
        Map<String, String> templates = new HashMap<>();
        for (JsonFields named : fields.objects(TEMPLATE_FIELD)) {
            Optional<String> name = named.text("name");
            Optional<String> template = named.text("template");
            if (name.isEmpty() || template.isEmpty()) {
                throw fields.refused(
                        TEMPLATE_FIELD, "a string, or a list of objects with name and template");
            }
            templates.put(name.get(), template.get());
        }
        return templates;
    }

    private static ChatSettings of(
            String file, Map<String, String> templates, Optional<JsonFields> fields)
            throws CheckpointException {
        Map<String, String> tokens = new HashMap<>();
        if (fields.isPresent()) {
            for (String field : TOKEN_FIELDS) {
                TokenizerConfig.token(fields.get(), field)
                        .ifPresent(token -> tokens.put(field, token));
            }
        }
        return new ChatSettings(
                file,
                templates,
                tokens,
                fields.isPresent()
                        ? TokenizerConfig.tokens(fields.get(), "additional_special_tokens")
                        : List.of());
    }
}
