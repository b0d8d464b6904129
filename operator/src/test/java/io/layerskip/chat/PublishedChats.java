package io.layerskip.chat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MappingIterator;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.layerskip.model.LlamaTokenizers;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Chats as another implementation renders them by published templates, where they lie beside the
 * repository: they stay out of it.
 */
final class PublishedChats {

    private static final Path FILE = LlamaTokenizers.FOLDER.resolve("chat-cases.jsonl");

    private PublishedChats() {}

    /** A chat and its rendering. */
    record Case(
            String family,
            String template,
            String bosToken,
            String eosToken,
            String messages,
            boolean addGenerationPrompt,
            String rendered) {

        Map<String, Object> variables() throws ChatRenderingException {
            Map<String, Object> variables = new HashMap<>();
            variables.put("bos_token", Str.ofTemplate(bosToken));
            variables.put("eos_token", Str.ofTemplate(eosToken));
            variables.put("messages", JsonValues.readMessages(messages));
            variables.put("tools", Values.None.NONE);
            variables.put("add_generation_prompt", addGenerationPrompt);
            return variables;
        }

        @Override
        public String toString() {
            return "%s %s %s".formatted(family, addGenerationPrompt, messages);
        }
    }

    static boolean areThere() {
        return Files.exists(FILE);
    }

    static List<Case> cases() throws IOException {
        try (MappingIterator<JsonNode> lines =
                new ObjectMapper().readerFor(JsonNode.class).readValues(FILE.toFile())) {
            return lines.readAll().stream()
                    .map(
                            line ->
                                    new Case(
                                            line.get("family").asText(),
                                            line.get("template").asText(),
                                            line.get("bos_token").asText(),
                                            line.get("eos_token").asText(),
                                            line.get("messages").toString(),
                                            line.get("add_generation_prompt").asBoolean(),
                                            line.get("rendered").asText()))
                    .toList();
        }
    }
}
