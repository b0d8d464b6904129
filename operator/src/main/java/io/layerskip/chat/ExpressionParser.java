package io.layerskip.chat;

import io.layerskip.chat.Expression.MethodCall;
import io.layerskip.chat.Functions.Function;
import io.layerskip.chat.Signature.Passed;
import io.layerskip.chat.Values.None;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Parses expressions by Jinja's grammar, and refuses what is not known: every name of a filter,
 * test or method and every argument is looked up here.
 */
final class ExpressionParser {

    private static final Set<String> COMPARISONS = Set.of("==", "!=", "<", "<=", ">", ">=");
    private static final Set<String> SUMS = Set.of("+", "-");
    private static final Set<String> PRODUCTS = Set.of("*", "/", "//", "%");

    private final TokenStream tokens;
    private final Names names;

    ExpressionParser(TokenStream tokens, Names names) {
        this.tokens = tokens;
        this.names = names;
    }

    /** An expression, or several with commas between them, which are a tuple. */
    Expression tuple() throws ChatTemplateException {
        return tuple(true);
    }

    /** The same, without an inline if that is not in brackets. */
    Expression tupleWithoutCondition() throws ChatTemplateException {
        return tuple(false);
    }

    private Expression tuple(boolean withCondition) throws ChatTemplateException {
        List<Expression> items = new ArrayList<>();
        boolean isTuple = false;
        do {
            if (isTuple && endsTuple()) {
                break;
            }
            items.add(withCondition ? expression() : or());
            isTuple |= tokens.current().isOperator(",");
        } while (tokens.skipOperator(","));
        return isTuple ? new Expression.TupleOf(items) : items.get(0);
    }

    private boolean endsTuple() {
        return switch (tokens.current().type()) {
            case VARIABLE_END, BLOCK_END, END -> true;
            default -> tokens.current().isOperator(")");
        };
    }

    Expression expression() throws ChatTemplateException {
        tokens.enter();
        Expression value = or();
        while (tokens.skipName("if")) {
            Expression condition = or();
            Optional<Expression> otherwise =
                    tokens.skipName("else") ? Optional.of(expression()) : Optional.empty();
            value = new Expression.Conditional(condition, value, otherwise);
        }
        tokens.leave();
        return value;
    }

    private Expression or() throws ChatTemplateException {
        Expression left = and();
        while (tokens.skipName("or")) {
            left = new Expression.Either(left, and(), false);
        }
        return left;
    }

    private Expression and() throws ChatTemplateException {
        Expression left = not();
        while (tokens.skipName("and")) {
            left = new Expression.Either(left, not(), true);
        }
        return left;
    }

    private Expression not() throws ChatTemplateException {
        if (!tokens.skipName("not")) {
            return comparison();
        }
        tokens.enter();
        Expression operand = not();
        tokens.leave();
        return new Expression.Not(operand);
    }

    private Expression comparison() throws ChatTemplateException {
        Expression first = sum();
        List<String> operators = new ArrayList<>();
        List<Expression> operands = new ArrayList<>();
        while (true) {
            Token token = tokens.current();
            if (token.type() == Token.Type.OPERATOR && COMPARISONS.contains(token.text())) {
                operators.add(tokens.next().text());
            } else if (tokens.skipName("in")) {
                operators.add("in");
            } else if (token.isName("not") && tokens.following().isName("in")) {
                tokens.next();
                tokens.next();
                operators.add("not in");
            } else {
                break;
            }
            operands.add(sum());
        }
        return operators.isEmpty() ? first : new Expression.Comparison(first, operators, operands);
    }

    private boolean isOperatorOf(Set<String> operators) {
        Token token = tokens.current();
        return token.type() == Token.Type.OPERATOR && operators.contains(token.text());
    }

    private Expression sum() throws ChatTemplateException {
        Expression left = concatenation();
        while (isOperatorOf(SUMS)) {
            left = new Expression.Binary(tokens.next().text(), left, concatenation());
        }
        return left;
    }

    private Expression concatenation() throws ChatTemplateException {
        List<Expression> operands = new ArrayList<>();
        do {
            operands.add(product());
        } while (tokens.skipOperator("~"));
        return operands.size() == 1 ? operands.get(0) : new Expression.Concatenation(operands);
    }

    private Expression product() throws ChatTemplateException {
        Expression left = power();
        while (isOperatorOf(PRODUCTS)) {
            left = new Expression.Binary(tokens.next().text(), left, power());
        }
        return left;
    }

    private Expression power() throws ChatTemplateException {
        Expression left = unary(true);
        while (tokens.skipOperator("**")) {
            left = new Expression.Binary("**", left, unary(true));
        }
        return left;
    }

    private Expression unary(boolean withFilters) throws ChatTemplateException {
        Expression value;
        if (tokens.skipOperator("-")) {
            tokens.enter();
            value = new Expression.Negative(unary(false));
            tokens.leave();
        } else if (tokens.current().isOperator("+")) {
            throw tokens.failure("a plus sign before a value");
        } else {
            value = primary();
        }
        value = postfix(value);
        return withFilters ? filtered(value) : value;
    }

    private Expression primary() throws ChatTemplateException {
        Token token = tokens.next();
        return switch (token.type()) {
            case NAME -> name(token);
            case STRING -> string(token);
            case INTEGER -> integer(token);
            case FLOAT -> new Expression.Constant(Double.valueOf(token.text()));
            case OPERATOR -> bracketed(token);
            default -> throw notAValue(token);
        };
    }

    private static ChatTemplateException notAValue(Token token) {
        return ChatTemplateException.at(
                token.position(), "found %s, expected a value".formatted(token.shown()));
    }

    private Expression name(Token token) throws ChatTemplateException {
        return switch (token.text()) {
            case "true", "True" -> new Expression.Constant(true);
            case "false", "False" -> new Expression.Constant(false);
            case "none", "None" -> new Expression.Constant(None.NONE);
            default -> {
                names.read(token);
                yield new Expression.Name(token.text());
            }
        };
    }

    private Expression string(Token token) {
        StringBuilder text = new StringBuilder(token.text());
        while (tokens.current().type() == Token.Type.STRING) {
            text.append(tokens.next().text());
        }
        return new Expression.Constant(Str.ofTemplate(text.toString()));
    }

    private static Expression integer(Token token) throws ChatTemplateException {
        try {
            return new Expression.Constant(Long.valueOf(token.text()));
        } catch (NumberFormatException e) {
            throw ChatTemplateException.at(token.position(), "an int of more than 64 bits");
        }
    }

    private Expression bracketed(Token open) throws ChatTemplateException {
        return switch (open.text()) {
            case "(" -> {
                if (tokens.skipOperator(")")) {
                    yield new Expression.TupleOf(List.of());
                }
                Expression value = tuple();
                tokens.expectOperator(")");
                yield value;
            }
            case "[" -> new Expression.ListOf(items("]"));
            case "{" -> dict();
            default -> throw notAValue(open);
        };
    }

    /** Expressions up to a bracket, which is taken too. */
    private List<Expression> items(String close) throws ChatTemplateException {
        List<Expression> items = new ArrayList<>();
        while (!tokens.skipOperator(close)) {
            if (!items.isEmpty()) {
                tokens.expectOperator(",");
                if (tokens.skipOperator(close)) {
                    break;
                }
            }
            items.add(expression());
        }
        return items;
    }

    private Expression dict() throws ChatTemplateException {
        List<Expression> keys = new ArrayList<>();
        List<Expression> values = new ArrayList<>();
        while (!tokens.skipOperator("}")) {
            if (!keys.isEmpty()) {
                tokens.expectOperator(",");
                if (tokens.skipOperator("}")) {
                    break;
                }
            }
            keys.add(expression());
            tokens.expectOperator(":");
            values.add(expression());
        }
        return new Expression.DictOf(keys, values);
    }

    private Expression postfix(Expression value) throws ChatTemplateException {
        Expression result = value;
        while (true) {
            Position position = tokens.current().position();
            if (tokens.skipOperator(".")) {
                result = member(result);
            } else if (tokens.skipOperator("[")) {
                result = subscript(result);
            } else if (tokens.current().isOperator("(")) {
                result = call(result, position);
            } else {
                return result;
            }
        }
    }

    private Expression member(Expression of) throws ChatTemplateException {
        if (tokens.current().type() == Token.Type.INTEGER) {
            return new Expression.Item(of, integer(tokens.next()));
        }
        Token name = tokens.expect(Token.Type.NAME, "an attribute's name");
        if (of instanceof Expression.Name loop
                && loop.name().equals(Statement.For.LOOP)
                && names.isInLoop()
                && !Loop.ATTRIBUTES.contains(name.text())) {
            throw ChatTemplateException.at(
                    name.position(), "unknown attribute '%s' of loop".formatted(name.text()));
        }
        if (tokens.current().isOperator("(")) {
            return methodCall(of, name);
        }
        return new Expression.Attribute(of, name.text());
    }

    private Expression subscript(Expression of) throws ChatTemplateException {
        Optional<Expression> from = bound();
        if (!tokens.skipOperator(":")) {
            if (tokens.current().isOperator(",")) {
                throw tokens.failure("a tuple as an index");
            }
            if (from.isEmpty()) {
                throw tokens.unexpected("an index");
            }
            tokens.expectOperator("]");
            return new Expression.Item(of, from.get());
        }
        Optional<Expression> to = bound();
        Optional<Expression> step = tokens.skipOperator(":") ? bound() : Optional.empty();
        tokens.expectOperator("]");
        return new Expression.Slice(of, from, to, step);
    }

    private Optional<Expression> bound() throws ChatTemplateException {
        boolean isAbsent = tokens.current().isOperator(":") || tokens.current().isOperator("]");
        return isAbsent ? Optional.empty() : Optional.of(expression());
    }

    private Expression call(Expression callee, Position position) throws ChatTemplateException {
        Passed passed = passed();
        if (!(callee instanceof Expression.Name name)) {
            return new Expression.MacroCall(callee, "a value", passed);
        }
        Function function = Functions.BY_NAME.get(name.name());
        if (function == null) {
            names.called(name.name(), position);
            return new Expression.MacroCall(callee, name.name(), passed);
        }
        BoundArguments arguments =
                function.signature().bind("function " + name.name(), passed, position);
        if (function.name().equals(Functions.STRFTIME_NOW)) {
            checkDateFormat(arguments, position);
        }
        return new Expression.FunctionCall(function, arguments);
    }

    private static void checkDateFormat(BoundArguments arguments, Position position)
            throws ChatTemplateException {
        if (arguments.slots().get(0).orElseThrow() instanceof Expression.Constant format) {
            Optional<String> unsupported = Strftime.unsupported(format.value().toString());
            if (unsupported.isPresent()) {
                throw ChatTemplateException.at(
                        position,
                        "unknown directive '%s' of strftime_now".formatted(unsupported.get()));
            }
        }
    }

    private Expression methodCall(Expression of, Token name) throws ChatTemplateException {
        Passed passed = passed();
        List<MethodCall.BoundMethod> methods = new ArrayList<>();
        Optional<ChatTemplateException> misfit = Optional.empty();
        for (Methods.Method method : Methods.named(name.text())) {
            try {
                methods.add(
                        new MethodCall.BoundMethod(
                                method,
                                method.signature()
                                        .bind("method " + name.text(), passed, name.position())));
            } catch (ChatTemplateException e) {
                misfit = Optional.of(e);
            }
        }
        if (methods.isEmpty() && misfit.isPresent()) {
            throw misfit.get();
        }
        // A method that changes its object is an error when it is reached, as in Jinja's sandbox.
        if (methods.isEmpty() && !Methods.changes(name.text())) {
            throw ChatTemplateException.at(
                    name.position(), "unknown method '%s'".formatted(name.text()));
        }
        return new MethodCall(of, name.text(), methods, passed);
    }

    private Passed passed() throws ChatTemplateException {
        tokens.expectOperator("(");
        List<Expression> positional = new ArrayList<>();
        Map<String, Expression> keywords = new LinkedHashMap<>();
        Optional<Expression> unpacked = Optional.empty();
        while (!tokens.skipOperator(")")) {
            if (!positional.isEmpty() || !keywords.isEmpty() || unpacked.isPresent()) {
                tokens.expectOperator(",");
                if (tokens.skipOperator(")")) {
                    break;
                }
            }
            if (unpacked.isPresent() || tokens.current().isOperator("**")) {
                throw tokens.failure("arguments after or unpacked by " + tokens.current().shown());
            }
            if (tokens.skipOperator("*")) {
                unpacked = Optional.of(expression());
                continue;
            }
            if (tokens.current().type() == Token.Type.NAME && tokens.following().isOperator("=")) {
                Token keyword = tokens.next();
                tokens.next();
                if (keywords.put(keyword.text(), expression()) != null) {
                    throw ChatTemplateException.at(
                            keyword.position(),
                            "the argument '%s' twice".formatted(keyword.text()));
                }
            } else if (keywords.isEmpty()) {
                positional.add(expression());
            } else {
                throw tokens.failure("an argument without a name after one with a name");
            }
        }
        return new Passed(positional, keywords, unpacked);
    }

    /** Filters and tests after a value. */
    private Expression filtered(Expression value) throws ChatTemplateException {
        Expression result = value;
        while (true) {
            if (tokens.current().isOperator("|")) {
                result = filter(result);
            } else if (tokens.current().isName("is")) {
                result = test(result);
            } else if (tokens.current().isOperator("(")) {
                throw tokens.failure("a call of what is neither a function nor a method");
            } else {
                return result;
            }
        }
    }

    /** Filters only, as they stand after the name of a set block. */
    Expression filters(Expression value) throws ChatTemplateException {
        Expression result = value;
        while (tokens.current().isOperator("|")) {
            result = filter(result);
        }
        return result;
    }

    private Expression filter(Expression of) throws ChatTemplateException {
        tokens.expectOperator("|");
        return firstFilter(of);
    }

    /** A filter without the bar before it, as it stands after the tag filter. */
    Expression firstFilter(Expression of) throws ChatTemplateException {
        Token name = tokens.expect(Token.Type.NAME, "a filter's name");
        Passed passed = tokens.current().isOperator("(") ? passed() : Passed.NOTHING;
        return switch (name.text()) {
            case "map" -> map(of, passed, name.position());
            case "select", "reject" ->
                    selected(of, Optional.empty(), passed, name, name.text().equals("select"));
            case "selectattr", "rejectattr" -> {
                if (passed.positional().isEmpty()) {
                    throw ChatTemplateException.at(
                            name.position(), "filter %s lacks an attribute".formatted(name.text()));
                }
                yield selected(
                        of,
                        Optional.of(passed.positional().get(0)),
                        withoutFirst(passed),
                        name,
                        name.text().equals("selectattr"));
            }
            default -> {
                Filters.Filter filter = Filters.named(name.text(), name.position());
                yield new Expression.Filtered(
                        of,
                        filter,
                        filter.signature().bind("filter " + name.text(), passed, name.position()));
            }
        };
    }

    private static Passed withoutFirst(Passed passed) {
        return new Passed(
                passed.positional().subList(1, passed.positional().size()),
                passed.keywords(),
                passed.unpacked());
    }

    private static Expression map(Expression of, Passed passed, Position position)
            throws ChatTemplateException {
        if (passed.positional().isEmpty()) {
            BoundArguments arguments =
                    Signature.of("attribute", "default?").bind("filter map", passed, position);
            return new Expression.MappedToAttribute(
                    of, arguments.slots().get(0).orElseThrow(), arguments.slots().get(1));
        }
        Filters.Filter filter =
                Filters.named(literal(passed.positional().get(0), "filter", position), position);
        return new Expression.MappedByFilter(
                of,
                filter,
                filter.signature().bind("filter " + filter.name(), withoutFirst(passed), position));
    }

    private static Expression selected(
            Expression of, Optional<Expression> path, Passed passed, Token name, boolean kept)
            throws ChatTemplateException {
        Position position = name.position();
        boolean hasTest = !passed.positional().isEmpty();
        Tests.Test test =
                hasTest
                        ? Tests.named(
                                literal(passed.positional().get(0), "test", position), position)
                        : Tests.TRUTH;
        BoundArguments arguments =
                test.signature()
                        .bind(
                                "test " + test.name(),
                                hasTest ? withoutFirst(passed) : passed,
                                position);
        return new Expression.Selected(of, path, test, arguments, kept);
    }

    /** The name of a filter or test, which has to stand in the template as a string. */
    private static String literal(Expression name, String of, Position position)
            throws ChatTemplateException {
        if (name instanceof Expression.Constant constant && constant.value() instanceof Str text) {
            return text.text();
        }
        throw ChatTemplateException.at(
                position, "the name of a %s that is no string".formatted(of));
    }

    private Expression test(Expression of) throws ChatTemplateException {
        tokens.expectName("is");
        boolean isNegated = tokens.skipName("not");
        Token name = tokens.expect(Token.Type.NAME, "a test's name");
        Tests.Test test = Tests.named(name.text(), name.position());
        BoundArguments arguments =
                test.signature().bind("test " + name.text(), testPassed(), name.position());
        Expression tested = new Expression.Tested(of, test, arguments);
        return isNegated ? new Expression.Not(tested) : tested;
    }

    /** What a test is passed: in brackets, or one value without. */
    private Passed testPassed() throws ChatTemplateException {
        Token token = tokens.current();
        if (token.isOperator("(")) {
            return passed();
        }
        boolean isValue =
                switch (token.type()) {
                    case NAME ->
                            !token.isName("else") && !token.isName("or") && !token.isName("and");
                    case STRING, INTEGER, FLOAT -> true;
                    default -> token.isOperator("[") || token.isOperator("{");
                };
        if (token.isName("is")) {
            throw tokens.failure("a test of a test");
        }
        return isValue
                ? new Passed(List.of(postfix(primary())), Map.of(), Optional.empty())
                : Passed.NOTHING;
    }
}
