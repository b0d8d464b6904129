package io.layerskip.chat;

import io.layerskip.chat.Values.Callable;
import io.layerskip.chat.Values.DictValue;
import io.layerskip.chat.Values.None;
import io.layerskip.chat.Values.SafeText;
import io.layerskip.chat.Values.Undefined;
import java.math.BigInteger;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Jinja's tests: {@code value is name(...)}. */
final class Tests {

    @FunctionalInterface
    interface Body {
        boolean holds(Budget budget, Object value, Arguments arguments);
    }

    /** A test. */
    record Test(String name, Signature signature, Body body) {}

    /** What select and its like do without a test. */
    static final Test TRUTH =
            new Test("true value", Signature.of(), (budget, value, rest) -> Python.isTrue(value));

    private static final Map<String, Test> BY_NAME =
            Stream.of(
                            plain("defined", value -> !(value instanceof Undefined)),
                            plain("undefined", value -> value instanceof Undefined),
                            plain("none", value -> value == None.NONE),
                            plain("boolean", value -> value instanceof Boolean),
                            plain("true", value -> value.equals(true)),
                            plain("false", value -> value.equals(false)),
                            plain(
                                    "string",
                                    value -> value instanceof Str || value instanceof SafeText),
                            plain("number", Python::isNumber),
                            plain(
                                    "integer",
                                    value -> value instanceof Long || value instanceof BigInteger),
                            plain("float", value -> value instanceof Double),
                            plain("mapping", value -> value instanceof DictValue),
                            plain("sequence", Members::isSequence),
                            plain("iterable", Python::isIterable),
                            plain(
                                    "callable",
                                    value ->
                                            value instanceof Callable
                                                    || value instanceof Macro
                                                    || value instanceof Undefined),
                            plain("escaped", value -> value instanceof SafeText),
                            plain("odd", value -> remainder(value, 2) == 1),
                            plain("even", value -> remainder(value, 2) == 0),
                            new Test(
                                    "divisibleby",
                                    Signature.of("num"),
                                    (budget, value, arguments) ->
                                            remainder(value, arguments.integer(0, 1)) == 0),
                            new Test(
                                    "lower",
                                    Signature.of(),
                                    (budget, value, arguments) ->
                                            StrMethods.hasCase(
                                                    budget,
                                                    Texts.of(budget, value),
                                                    Character::isLowerCase)),
                            new Test(
                                    "upper",
                                    Signature.of(),
                                    (budget, value, arguments) ->
                                            StrMethods.hasCase(
                                                    budget,
                                                    Texts.of(budget, value),
                                                    Character::isUpperCase)),
                            new Test(
                                    "sameas",
                                    Signature.of("other"),
                                    (budget, value, arguments) ->
                                            isSame(value, arguments.value(0))),
                            new Test(
                                    "in",
                                    Signature.of("seq"),
                                    (budget, value, arguments) ->
                                            Python.contains(budget, arguments.value(0), value)),
                            comparison("==", "=="),
                            comparison("eq", "=="),
                            comparison("equalto", "=="),
                            comparison("!=", "!="),
                            comparison("ne", "!="),
                            comparison(">", ">"),
                            comparison("gt", ">"),
                            comparison("greaterthan", ">"),
                            comparison(">=", ">="),
                            comparison("ge", ">="),
                            comparison("<", "<"),
                            comparison("lt", "<"),
                            comparison("lessthan", "<"),
                            comparison("<=", "<="),
                            comparison("le", "<="))
                    .collect(Collectors.toMap(Test::name, Function.identity()));

    private Tests() {}

    /** The test of that name. */
    static Test named(String name, Position position) throws ChatTemplateException {
        Test test = BY_NAME.get(name);
        if (test == null) {
            throw ChatTemplateException.at(position, "unknown test '%s'".formatted(name));
        }
        return test;
    }

    private static Test plain(String name, Predicate<Object> test) {
        return new Test(name, Signature.of(), (budget, value, arguments) -> test.test(value));
    }

    private static Test comparison(String name, String operator) {
        return new Test(
                name,
                Signature.of("*other"),
                (budget, value, arguments) ->
                        Expression.Comparison.holds(budget, operator, value, arguments.value(0)));
    }

    private static double remainder(Object value, long divisor) {
        Object remainder =
                Python.isNumber(value)
                        ? Arithmetic.apply(new Budget(), "%", value, divisor)
                        : Arguments.requireInteger(value);
        return ((Number) remainder).doubleValue();
    }

    private static boolean isSame(Object a, Object b) {
        boolean unique = isUnique(a) || isUnique(b);
        if (!unique) {
            throw new RenderError(
                    "the chat template asks whether values are the same object; supported for none,"
                            + " true and false");
        }
        return a.equals(b);
    }

    private static boolean isUnique(Object value) {
        return value == None.NONE || value instanceof Boolean;
    }
}
