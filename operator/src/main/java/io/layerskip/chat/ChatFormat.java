package io.layerskip.chat;

import io.layerskip.chat.Values.DictValue;
import io.layerskip.chat.Values.ListValue;
import io.layerskip.chat.Values.None;
import io.layerskip.model.ChatSettings;
import io.layerskip.model.Checkpoint;
import io.layerskip.model.CheckpointException;
import io.layerskip.model.MarkedText;
import io.layerskip.model.Sha256;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.apache.flink.annotation.PublicEvolving;

/**
 * How a checkpoint writes chats: its chat template, or the reason why there is none to be used. A
 * checkpoint whose template cannot be interpreted still serves plain prompts.
 *
 * <p>Thread-safe.
 */
@PublicEvolving
public final class ChatFormat {

    /** The template for chats with tools, where a checkpoint has one of that name. */
    private static final String TOOL_USE = "tool_use";

    private static final String MESSAGES = "messages";
    private static final String TOOLS = "tools";
    private static final String DOCUMENTS = "documents";
    private static final String ADD_GENERATION_PROMPT = "add_generation_prompt";

    private final Map<String, ChatTemplate> templates;
    private final Map<String, Object> specialTokens;
    private final String fingerprint;
    private final Optional<String> refusal;

    private ChatFormat(
            Map<String, ChatTemplate> templates,
            Map<String, Object> specialTokens,
            String fingerprint,
            Optional<String> refusal) {
        this.templates = templates;
        this.specialTokens = specialTokens;
        this.fingerprint = fingerprint;
        this.refusal = refusal;
    }

    /** The format of a checkpoint; one that refuses every chat if there is no usable template. */
    public static ChatFormat of(Checkpoint checkpoint) {
        Optional<ChatSettings> settings;
        try {
            settings = checkpoint.chatSettings();
        } catch (CheckpointException e) {
            return refusing("the checkpoint's chat template cannot be read: " + e.getMessage());
        }
        ChatFormat format = of(settings);
        return format.refusal.isPresent() || checkpoint.tokenizer().encodesMarkedText()
                ? format
                : refusing(
                        "the checkpoint's tokenizer cannot tell the special tokens of a chat"
                                + " template from text");
    }

    /** The format of a folder with these settings; empty ones if it has no template. */
    public static ChatFormat of(Optional<ChatSettings> settings) {
        return settings.map(ChatFormat::parse)
                .orElseGet(
                        () ->
                                refusing(
                                        "the checkpoint has no chat template, neither chat_template"
                                                + " in tokenizer_config.json nor "
                                                + ChatSettings.TEMPLATE_FILE
                                                + "; allowed: a prompt"));
    }

    private static ChatFormat parse(ChatSettings settings) {
        if (!settings.templates().containsKey(ChatSettings.DEFAULT)) {
            return refusing(
                    "%s has the chat templates %s, expected one named %s"
                            .formatted(
                                    settings.file(),
                                    new TreeMap<>(settings.templates()).keySet(),
                                    ChatSettings.DEFAULT));
        }
        Map<String, ChatTemplate> templates = new HashMap<>();
        for (String name : List.of(ChatSettings.DEFAULT, TOOL_USE)) {
            if (settings.templates().containsKey(name)) {
                try {
                    templates.put(name, ChatTemplate.parse(settings.templates().get(name)));
                } catch (ChatTemplateException e) {
                    return refusing(
                            "the chat template '%s' in %s cannot be interpreted: %s"
                                    .formatted(name, settings.file(), e.getMessage()));
                }
            }
        }
        Map<String, Object> tokens = new HashMap<>();
        settings.specialTokens()
                .forEach((field, token) -> tokens.put(field, Str.ofTemplate(token)));
        if (!settings.additionalSpecialTokens().isEmpty()) {
            List<Object> additional = new ArrayList<>();
            settings.additionalSpecialTokens()
                    .forEach(token -> additional.add(Str.ofTemplate(token)));
            tokens.put("additional_special_tokens", new ListValue(additional));
        }
        String fingerprint =
                new Sha256()
                        .update(new TreeMap<>(settings.templates()).toString())
                        .update(new TreeMap<>(settings.specialTokens()).toString())
                        .update(settings.additionalSpecialTokens().toString())
                        .hex();
        return new ChatFormat(templates, tokens, fingerprint, Optional.empty());
    }

    private static ChatFormat refusing(String reason) {
        return new ChatFormat(Map.of(), Map.of(), "", Optional.of(reason));
    }

    /** Why no chat can be rendered; empty if they can. */
    public Optional<String> refusal() {
        return refusal;
    }

    /** A hash of the templates and special tokens, as hexadecimal digits. */
    public String fingerprint() {
        return fingerprint;
    }

    /**
     * The text of a chat, up to where the assistant's answer begins.
     *
     * @throws ChatRenderingException if there is no template, or it does not take this chat
     */
    public MarkedText render(Chat chat) throws ChatRenderingException {
        if (refusal.isPresent()) {
            throw new ChatRenderingException(refusal.get());
        }
        ChatTemplate template =
                chat.tools().isPresent() && templates.containsKey(TOOL_USE)
                        ? templates.get(TOOL_USE)
                        : templates.get(ChatSettings.DEFAULT);
        Map<String, Object> variables = new HashMap<>(specialTokens);
        variables.put(MESSAGES, JsonValues.readMessages(chat.messages()));
        variables.put(TOOLS, None.NONE);
        variables.put(DOCUMENTS, None.NONE);
        variables.put(ADD_GENERATION_PROMPT, true);
        if (chat.tools().isPresent()) {
            requireRead(template, TOOLS);
            variables.put(TOOLS, JsonValues.read(chat.tools().get()));
        }
        if (chat.templateArguments().isPresent()) {
            addArguments(template, chat.templateArguments().get(), variables);
        }
        return template.render(variables, Instant.ofEpochMilli(chat.createdMillis()));
    }

    private static void addArguments(
            ChatTemplate template, String json, Map<String, Object> variables)
            throws ChatRenderingException {
        if (!(JsonValues.read(json) instanceof DictValue arguments)) {
            throw new ChatRenderingException("chat_template_kwargs that are no object");
        }
        for (Map.Entry<Object, Object> argument : arguments.entries().entrySet()) {
            String name = argument.getKey().toString();
            if (variables.containsKey(name)) {
                throw new ChatRenderingException(
                        "chat_template_kwargs has %s, which is not the request's to set"
                                .formatted(name));
            }
            requireRead(template, name);
            variables.put(name, argument.getValue());
        }
    }

    private static void requireRead(ChatTemplate template, String variable)
            throws ChatRenderingException {
        if (!template.reads(variable)) {
            throw new ChatRenderingException(
                    "the checkpoint's chat template has no use for %s; allowed: none"
                            .formatted(variable));
        }
    }
}
