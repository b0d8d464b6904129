package io.layerskip.chat;

import io.layerskip.chat.Statement.Target;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/** Parses a template into its statements by Jinja's grammar. */
final class Parser {

    private final TokenStream tokens;
    private final Names names = new Names();
    private final ExpressionParser expressions;

    /** Whether a break here would leave a loop: not in a macro or set block inside one. */
    private boolean isLoopBody;

    Parser(List<Token> tokens) {
        this.tokens = new TokenStream(tokens);
        this.expressions = new ExpressionParser(this.tokens, names);
    }

    /** The whole template. */
    List<Statement> template() throws ChatTemplateException {
        List<Statement> statements = body(Set.of());
        names.checkCalls();
        return statements;
    }

    /** The names that the template reads; after {@link #template}. */
    Set<String> namesRead() {
        return names.read();
    }

    /** Statements up to one of these tags, at whose name it stops; or to the end. */
    private List<Statement> body(Set<String> ends) throws ChatTemplateException {
        tokens.enter();
        List<Statement> statements = new ArrayList<>();
        while (true) {
            Token token = tokens.next();
            switch (token.type()) {
                case DATA -> statements.add(new Statement.Data(Str.ofTemplate(token.text())));
                case VARIABLE_BEGIN -> {
                    statements.add(new Statement.Output(expressions.tuple()));
                    tokens.expect(Token.Type.VARIABLE_END, "}}");
                }
                case BLOCK_BEGIN -> {
                    if (tokens.current().type() == Token.Type.NAME
                            && ends.contains(tokens.current().text())) {
                        tokens.leave();
                        return statements;
                    }
                    statements.add(statement());
                    endTag();
                }
                default -> {
                    if (!ends.isEmpty()) {
                        throw tokens.unexpected(
                                "one of the tags " + String.join(", ", new TreeSet<>(ends)));
                    }
                    tokens.leave();
                    return statements;
                }
            }
        }
    }

    private void endTag() throws ChatTemplateException {
        tokens.expect(Token.Type.BLOCK_END, "%}");
    }

    /** The statements after a tag, which ends here, up to another tag, whose name is taken. */
    private List<Statement> bodyTo(String end) throws ChatTemplateException {
        startBody();
        List<Statement> statements = body(Set.of(end));
        tokens.next();
        return statements;
    }

    private void startBody() throws ChatTemplateException {
        // As in Python.
        tokens.skipOperator(":");
        endTag();
    }

    private List<Statement> bodyTo(String end, boolean inLoop) throws ChatTemplateException {
        boolean outer = isLoopBody;
        isLoopBody = inLoop;
        List<Statement> statements = bodyTo(end);
        isLoopBody = outer;
        return statements;
    }

    private Statement statement() throws ChatTemplateException {
        Token tag = tokens.expect(Token.Type.NAME, "a tag's name");
        return switch (tag.text()) {
            case "if" -> ifStatement();
            case "for" -> forStatement();
            case "set" -> setStatement();
            case "macro" -> macro();
            case "call" -> call();
            case "with" -> with();
            case "filter" -> filter();
            case "generation" ->
                    new Statement.Block(List.of(), List.of(), bodyTo("endgeneration", false));
            case "break", "continue" -> {
                if (!isLoopBody) {
                    throw ChatTemplateException.at(
                            tag.position(), "'%s' outside of a loop".formatted(tag.text()));
                }
                yield new Statement.Jump(tag.text().equals("break") ? Flow.BREAK : Flow.CONTINUE);
            }
            default ->
                    throw ChatTemplateException.at(
                            tag.position(), "unknown tag '%s'".formatted(tag.text()));
        };
    }

    private Statement ifStatement() throws ChatTemplateException {
        List<Statement.If.Branch> branches = new ArrayList<>();
        Optional<Expression> condition = Optional.of(expressions.tupleWithoutCondition());
        while (true) {
            startBody();
            Set<String> ends =
                    condition.isPresent() ? Set.of("elif", "else", "endif") : Set.of("endif");
            branches.add(new Statement.If.Branch(condition, body(ends)));
            Token end = tokens.next();
            if (end.isName("endif")) {
                return new Statement.If(branches);
            }
            condition =
                    end.isName("elif")
                            ? Optional.of(expressions.tupleWithoutCondition())
                            : Optional.empty();
        }
    }

    private Statement forStatement() throws ChatTemplateException {
        Target target = target("in");
        tokens.expectName("in");
        Expression items = expressions.tupleWithoutCondition();
        Optional<Expression> condition =
                tokens.skipName("if") ? Optional.of(expressions.expression()) : Optional.empty();
        if (tokens.current().isName("recursive")) {
            throw tokens.failure("a recursive loop");
        }
        boolean outer = isLoopBody;
        isLoopBody = true;
        names.enterLoop();
        startBody();
        List<Statement> body = body(Set.of("endfor", "else"));
        names.leaveLoop();
        isLoopBody = outer;
        List<Statement> otherwise = tokens.next().isName("else") ? bodyTo("endfor") : List.of();
        return new Statement.For(target, items, condition, body, otherwise);
    }

    private Statement setStatement() throws ChatTemplateException {
        Target target = target("");
        if (tokens.skipOperator("=")) {
            return new Statement.Assignment(target, expressions.tuple());
        }
        // The filters stand before the body that they filter.
        List<Statement> body = new ArrayList<>();
        Expression value = expressions.filters(new Expression.Captured(body));
        body.addAll(bodyTo("endset", false));
        return new Statement.Assignment(target, value);
    }

    private Statement filter() throws ChatTemplateException {
        List<Statement> body = new ArrayList<>();
        Expression value =
                expressions.filters(expressions.firstFilter(new Expression.Captured(body)));
        body.addAll(bodyTo("endfilter", false));
        return new Statement.Output(value);
    }

    /** A variable, an attribute of a namespace, or several targets with commas between them. */
    private Target target(String end) throws ChatTemplateException {
        List<Target> targets = new ArrayList<>();
        boolean isTuple = false;
        do {
            boolean isOver =
                    tokens.current().isOperator("=")
                            || tokens.current().isOperator(")")
                            || tokens.current().isName(end);
            if (isTuple && isOver) {
                break;
            }
            targets.add(singleTarget());
            isTuple |= tokens.current().isOperator(",");
        } while (tokens.skipOperator(","));
        return isTuple ? new Target.Several(targets) : targets.get(0);
    }

    private Target singleTarget() throws ChatTemplateException {
        if (tokens.skipOperator("(")) {
            tokens.enter();
            Target inner = target("");
            tokens.expectOperator(")");
            tokens.leave();
            return inner;
        }
        Token name = tokens.expect(Token.Type.NAME, "the name of a variable");
        if (tokens.skipOperator(".")) {
            Token attribute = tokens.expect(Token.Type.NAME, "an attribute's name");
            return new Target.NamespaceAttribute(name.text(), attribute.text());
        }
        names.set(name);
        return new Target.Variable(name.text());
    }

    private Statement macro() throws ChatTemplateException {
        Token name = tokens.expect(Token.Type.NAME, "the name of a macro");
        names.set(name);
        List<Macro.Parameter> parameters = parameters();
        names.enterMacro();
        List<Statement> body = bodyTo("endmacro", false);
        return new Statement.Definition(name.text(), parameters, body, names.leaveMacro());
    }

    private Statement call() throws ChatTemplateException {
        List<Macro.Parameter> parameters =
                tokens.current().isOperator("(") ? parameters() : List.of();
        Position position = tokens.current().position();
        if (!(expressions.expression() instanceof Expression.MacroCall call)) {
            throw ChatTemplateException.at(position, "a call tag without a call of a macro");
        }
        names.enterMacro();
        List<Statement> body = bodyTo("endcall", false);
        return new Statement.Call(call, parameters, body, names.leaveMacro());
    }

    /** The parameters of a macro or of a block that one is passed, in brackets. */
    private List<Macro.Parameter> parameters() throws ChatTemplateException {
        tokens.expectOperator("(");
        List<Macro.Parameter> parameters = new ArrayList<>();
        while (!tokens.skipOperator(")")) {
            if (!parameters.isEmpty()) {
                tokens.expectOperator(",");
            }
            Token parameter = tokens.expect(Token.Type.NAME, "the name of a parameter");
            names.set(parameter);
            Optional<Expression> absent =
                    tokens.skipOperator("=")
                            ? Optional.of(expressions.expression())
                            : Optional.empty();
            boolean lacksDefault =
                    absent.isEmpty() && parameters.stream().anyMatch(p -> p.absent().isPresent());
            if (lacksDefault) {
                throw ChatTemplateException.at(
                        parameter.position(),
                        "a parameter without a default after one with a default");
            }
            parameters.add(new Macro.Parameter(parameter.text(), absent));
        }
        return parameters;
    }

    private Statement with() throws ChatTemplateException {
        List<Target> targets = new ArrayList<>();
        List<Expression> values = new ArrayList<>();
        while (tokens.current().type() != Token.Type.BLOCK_END) {
            if (!targets.isEmpty()) {
                tokens.expectOperator(",");
            }
            targets.add(singleTarget());
            tokens.expectOperator("=");
            values.add(expressions.expression());
        }
        return new Statement.Block(targets, values, bodyTo("endwith"));
    }
}
