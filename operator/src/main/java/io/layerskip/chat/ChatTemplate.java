package io.layerskip.chat;

import io.layerskip.model.MarkedText;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A chat template, parsed: what turns messages into the text that a model was trained on.
 *
 * <p>The language is the part of Jinja that chat templates use, with the settings and functions
 * that transformers gives them. What is not known is refused when the template is parsed; the rest
 * renders as transformers does, or is an error. Immutable.
 */
final class ChatTemplate {

    private static final int MAX_CHARACTERS = 1 << 20;

    private final List<Statement> statements;
    private final Set<String> namesRead;

    private ChatTemplate(List<Statement> statements, Set<String> namesRead) {
        this.statements = statements;
        this.namesRead = namesRead;
    }

    /**
     * Parses a template.
     *
     * @throws ChatTemplateException if it is no template, or has something that is not known; says
     *     what and where
     */
    static ChatTemplate parse(String source) throws ChatTemplateException {
        if (source.length() > MAX_CHARACTERS) {
            throw new ChatTemplateException(
                    "more than %d characters, the most that is read".formatted(MAX_CHARACTERS));
        }
        Parser parser = new Parser(Lexer.tokens(source));
        List<Statement> statements = parser.template();
        return new ChatTemplate(statements, parser.namesRead());
    }

    /** Whether the template reads a variable. */
    boolean reads(String variable) {
        return namesRead.contains(variable);
    }

    /**
     * Renders the template.
     *
     * @param variables by their names
     * @param now what the template takes for the present
     * @throws ChatRenderingException if the template refuses the messages, does with them what it
     *     cannot, or takes too much
     */
    MarkedText render(Map<String, Object> variables, Instant now) throws ChatRenderingException {
        return render(variables, now, new Budget());
    }

    /** The same within a budget. */
    MarkedText render(Map<String, Object> variables, Instant now, Budget budget)
            throws ChatRenderingException {
        Rendering rendering = new Rendering(budget, Scope.outermost(variables), now);
        try {
            rendering.execute(statements);
        } catch (RenderError e) {
            throw new ChatRenderingException(e.getMessage());
        }
        return rendering.written().toMarkedText();
    }
}
