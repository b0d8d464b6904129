package io.layerskip.chat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.layerskip.model.MarkedText;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.List;
import java.util.Map;

/**
 * A chat template of any text renders any message or is refused, in bounded time and memory, and
 * nothing of a message's text becomes a special token's.
 *
 * <p>An input is a template and, after a NUL, a message.
 */
class ChatTemplateFuzzTest {

    /** Stands in the message only. */
    private static final String MARK = "\ue000";

    /** Less than a request has: templates that take all of it would be most of the time. */
    private static final long STEPS = 20_000;

    @FuzzTest(maxExecutions = 10_000)
    void rendersOrRefuses(byte[] input) throws Exception {
        fuzzerTestOneInput(input);
    }

    /** For runs of any length, from the command line. */
    public static void fuzzerTestOneInput(byte[] input) throws Exception {
        String text = new String(input, StandardCharsets.UTF_8).replace(MARK, "");
        int end = text.indexOf('\0') < 0 ? text.length() : text.indexOf('\0');
        String template = text.substring(0, end);
        try {
            MarkedText rendered =
                    ChatTemplate.parse(template)
                            .render(
                                    variables(MARK + text.substring(end)),
                                    Instant.EPOCH,
                                    new Budget(STEPS));
            // A template can spell any character with a backslash.
            if (template.indexOf('\\') < 0) {
                requireNoMessage(rendered);
            }
        } catch (ChatTemplateException | ChatRenderingException e) {
            // Refused, in words.
        }
    }

    private static Map<String, Object> variables(String message) throws ChatRenderingException {
        return Map.of(
                "messages",
                JsonValues.readMessages(
                        Chat.of(List.of(new ChatMessage("user", message)), Instant.EPOCH)
                                .messages()),
                "bos_token",
                Str.ofTemplate("<s>"),
                "add_generation_prompt",
                true);
    }

    private static void requireNoMessage(MarkedText rendered) {
        for (MarkedText.Part part : rendered.parts()) {
            if (part.special() && part.text().contains(MARK)) {
                throw new IllegalStateException("a message's text counts as the template's");
            }
        }
    }
}
