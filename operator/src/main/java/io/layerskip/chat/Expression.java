package io.layerskip.chat;

import io.layerskip.chat.Values.DictValue;
import io.layerskip.chat.Values.Lazy;
import io.layerskip.chat.Values.ListValue;
import io.layerskip.chat.Values.None;
import io.layerskip.chat.Values.SafeText;
import io.layerskip.chat.Values.TupleValue;
import io.layerskip.chat.Values.Undefined;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.UnaryOperator;

/** A part of a template that has a value. Evaluate it with {@link Rendering#evaluate}. */
sealed interface Expression {

    Object evaluate(Rendering rendering);

    /** A string, number, bool or None. */
    record Constant(Object value) implements Expression {
        @Override
        public Object evaluate(Rendering rendering) {
            return value;
        }
    }

    /** A variable. */
    record Name(String name) implements Expression {
        @Override
        public Object evaluate(Rendering rendering) {
            return rendering.lookUp(name);
        }
    }

    /** {@code [a, b]}. */
    record ListOf(List<Expression> items) implements Expression {
        @Override
        public Object evaluate(Rendering rendering) {
            return new ListValue(values(rendering, items));
        }
    }

    /** {@code (a, b)}. */
    record TupleOf(List<Expression> items) implements Expression {
        @Override
        public Object evaluate(Rendering rendering) {
            return new TupleValue(values(rendering, items));
        }
    }

    private static List<Object> values(Rendering rendering, List<Expression> items) {
        List<Object> values = new ArrayList<>();
        for (Expression item : items) {
            values.add(rendering.evaluate(item));
        }
        return values;
    }

    /** {@code {a: b}}. */
    record DictOf(List<Expression> keys, List<Expression> values) implements Expression {
        @Override
        public Object evaluate(Rendering rendering) {
            Map<Object, Object> entries = new LinkedHashMap<>();
            for (int i = 0; i < keys.size(); i++) {
                entries.put(
                        Python.key(rendering.evaluate(keys.get(i))),
                        rendering.evaluate(values.get(i)));
            }
            return new DictValue(entries);
        }
    }

    /** {@code a and b}, {@code a or b}: one of the two values. */
    record Either(Expression left, Expression right, boolean isAnd) implements Expression {
        @Override
        public Object evaluate(Rendering rendering) {
            Object value = rendering.evaluate(left);
            return Python.isTrue(value) == isAnd ? rendering.evaluate(right) : value;
        }
    }

    /** {@code not a}. */
    record Not(Expression operand) implements Expression {
        @Override
        public Object evaluate(Rendering rendering) {
            return !Python.isTrue(rendering.evaluate(operand));
        }
    }

    /** {@code a if condition else b}. */
    record Conditional(Expression condition, Expression then, Optional<Expression> otherwise)
            implements Expression {
        @Override
        public Object evaluate(Rendering rendering) {
            if (Python.isTrue(rendering.evaluate(condition))) {
                return rendering.evaluate(then);
            }
            return otherwise
                    .map(rendering::evaluate)
                    .orElseGet(() -> new Undefined("an inline if has no else"));
        }
    }

    /** {@code a < b <= c}, each pair compared. */
    record Comparison(Expression first, List<String> operators, List<Expression> operands)
            implements Expression {
        @Override
        public Object evaluate(Rendering rendering) {
            Object left = rendering.evaluate(first);
            for (int i = 0; i < operands.size(); i++) {
                Object right = rendering.evaluate(operands.get(i));
                if (!holds(rendering.budget(), operators.get(i), left, right)) {
                    return false;
                }
                left = right;
            }
            return true;
        }

        static boolean holds(Budget budget, String operator, Object left, Object right) {
            return switch (operator) {
                case "==" -> Python.equal(budget, left, right);
                case "!=" -> !Python.equal(budget, left, right);
                case "<" -> Python.compare(budget, left, right) < 0;
                case "<=" -> Python.compare(budget, left, right) <= 0;
                case ">" -> Python.compare(budget, left, right) > 0;
                case ">=" -> Python.compare(budget, left, right) >= 0;
                case "in" -> Python.contains(budget, right, left);
                case "not in" -> !Python.contains(budget, right, left);
                default -> throw new IllegalStateException(operator);
            };
        }
    }

    /** {@code a + b} and the like. */
    record Binary(String operator, Expression left, Expression right) implements Expression {
        @Override
        public Object evaluate(Rendering rendering) {
            Object a = rendering.evaluate(left);
            return Arithmetic.apply(rendering.budget(), operator, a, rendering.evaluate(right));
        }
    }

    /** {@code -a}. */
    record Negative(Expression operand) implements Expression {
        @Override
        public Object evaluate(Rendering rendering) {
            return Arithmetic.negated(rendering.evaluate(operand));
        }
    }

    /** {@code a ~ b}: their texts, one after the other. */
    record Concatenation(List<Expression> operands) implements Expression {
        @Override
        public Object evaluate(Rendering rendering) {
            Str.Builder text = new Str.Builder();
            for (Expression operand : operands) {
                Str part = Texts.of(rendering.budget(), rendering.evaluate(operand));
                rendering.budget().takeText(part.text().length());
                text.append(part);
                rendering.budget().checkLength(text.length());
            }
            return text.build();
        }
    }

    /** {@code a.name}. */
    record Attribute(Expression of, String name) implements Expression {
        @Override
        public Object evaluate(Rendering rendering) {
            return Members.attribute(rendering.budget(), rendering.evaluate(of), name);
        }
    }

    /** {@code a[item]}. */
    record Item(Expression of, Expression item) implements Expression {
        @Override
        public Object evaluate(Rendering rendering) {
            Object value = rendering.evaluate(of);
            return Members.item(rendering.budget(), value, rendering.evaluate(item));
        }
    }

    /** {@code a[from:to:step]}. */
    record Slice(
            Expression of,
            Optional<Expression> from,
            Optional<Expression> to,
            Optional<Expression> step)
            implements Expression {
        @Override
        public Object evaluate(Rendering rendering) {
            return Members.slice(
                    rendering.budget(),
                    rendering.evaluate(of),
                    bound(rendering, from),
                    bound(rendering, to),
                    bound(rendering, step));
        }

        private static Object bound(Rendering rendering, Optional<Expression> bound) {
            return bound.map(rendering::evaluate).orElse(None.NONE);
        }
    }

    /** {@code function(...)}, one of Jinja's or transformers'. */
    record FunctionCall(Functions.Function function, BoundArguments arguments)
            implements Expression {
        @Override
        public Object evaluate(Rendering rendering) {
            return function.body().call(rendering, arguments.evaluate(rendering));
        }
    }

    /**
     * {@code macro(...)}, of a name that the template sets or of any other value.
     *
     * @param callee what is called
     * @param name what it is called, for messages
     */
    record MacroCall(Expression callee, String name, Signature.Passed passed)
            implements Expression {
        @Override
        public Object evaluate(Rendering rendering) {
            return call(rendering, Optional.empty());
        }

        /** The same, with the block of a call tag. */
        Str call(Rendering rendering, Optional<Macro> caller) {
            return call(rendering, rendering.evaluate(callee), passed, name, caller);
        }

        static Str call(
                Rendering rendering,
                Object callee,
                Signature.Passed passed,
                String name,
                Optional<Macro> caller) {
            Python.requireDefined(callee);
            if (!(callee instanceof Macro macro)) {
                throw new RenderError(
                        "the chat template calls %s, which is '%s' and no macro"
                                .formatted(name, Python.type(callee)));
            }
            List<Object> positional = values(rendering, passed.positional());
            if (passed.unpacked().isPresent()) {
                positional.addAll(
                        Python.toList(
                                rendering.budget(), rendering.evaluate(passed.unpacked().get())));
            }
            Map<String, Object> keywords = new LinkedHashMap<>();
            passed.keywords().forEach((key, value) -> keywords.put(key, rendering.evaluate(value)));
            return macro.call(rendering, positional, keywords, caller);
        }
    }

    /**
     * {@code a.name(...)}.
     *
     * @param methods of that name that take these arguments, at most one of each type
     */
    record MethodCall(
            Expression of, String name, List<BoundMethod> methods, Signature.Passed passed)
            implements Expression {

        /** A method and the arguments for it. */
        record BoundMethod(Methods.Method method, BoundArguments arguments) {}

        @Override
        public Object evaluate(Rendering rendering) {
            Object self = rendering.evaluate(of);
            Optional<Methods.Owner> owner = Methods.Owner.of(self);
            for (BoundMethod bound : methods) {
                if (Optional.of(bound.method().owner()).equals(owner)) {
                    return bound.method().body().call(self, bound.arguments().evaluate(rendering));
                }
            }
            if (self instanceof SafeText || PythonNames.of(self).contains(name)) {
                throw Members.unsupported(self, name);
            }
            return MacroCall.call(
                    rendering,
                    Members.attribute(rendering.budget(), self, name),
                    passed,
                    name,
                    Optional.empty());
        }
    }

    /** {@code a|filter(...)}. */
    record Filtered(Expression of, Filters.Filter filter, BoundArguments arguments)
            implements Expression {
        @Override
        public Object evaluate(Rendering rendering) {
            Object value = rendering.evaluate(of);
            return filter.apply(rendering, value, arguments.evaluate(rendering));
        }
    }

    /** {@code a is test(...)}. */
    record Tested(Expression of, Tests.Test test, BoundArguments arguments) implements Expression {
        @Override
        public Object evaluate(Rendering rendering) {
            Object value = rendering.evaluate(of);
            return test.body().holds(rendering.budget(), value, arguments.evaluate(rendering));
        }
    }

    /** {@code a|map("filter", ...)}: each item filtered, when it is asked for. */
    record MappedByFilter(Expression of, Filters.Filter filter, BoundArguments arguments)
            implements Expression {
        @Override
        public Object evaluate(Rendering rendering) {
            Object source = rendering.evaluate(of);
            Iterator<Object> items = itemsOf(rendering, source);
            Arguments values = arguments.evaluate(rendering);
            return mapped(source, items, item -> filter.apply(rendering, item, values));
        }
    }

    /** {@code a|map(attribute="path", default=...)}. */
    record MappedToAttribute(Expression of, Expression path, Optional<Expression> absent)
            implements Expression {
        @Override
        public Object evaluate(Rendering rendering) {
            Object source = rendering.evaluate(of);
            Iterator<Object> items = itemsOf(rendering, source);
            Object way = rendering.evaluate(path);
            Optional<Object> otherwise =
                    absent.map(rendering::evaluate).filter(value -> value != None.NONE);
            return mapped(
                    source, items, item -> Members.at(rendering.budget(), item, way, otherwise));
        }
    }

    /** What map and select go through: of anything that is false, nothing. */
    private static Iterator<Object> itemsOf(Rendering rendering, Object value) {
        return Python.isTrue(value)
                ? Python.iterate(rendering.budget(), value)
                : List.of().iterator();
    }

    private static Lazy mapped(
            Object source, Iterator<Object> items, UnaryOperator<Object> mapping) {
        return Lazy.over(
                source,
                new Iterator<>() {
                    @Override
                    public boolean hasNext() {
                        return items.hasNext();
                    }

                    @Override
                    public Object next() {
                        return mapping.apply(items.next());
                    }
                });
    }

    /**
     * {@code a|select("test", ...)}, {@code a|rejectattr("path", "test", ...)} and the like.
     *
     * @param path of what is tested of each item; empty for the item itself
     * @param kept the outcome of the test that keeps an item
     */
    record Selected(
            Expression of,
            Optional<Expression> path,
            Tests.Test test,
            BoundArguments arguments,
            boolean kept)
            implements Expression {
        @Override
        public Object evaluate(Rendering rendering) {
            Budget budget = rendering.budget();
            Object source = rendering.evaluate(of);
            Iterator<Object> items = itemsOf(rendering, source);
            Optional<Object> way = path.map(rendering::evaluate);
            Arguments values = arguments.evaluate(rendering);
            return Lazy.over(
                    source,
                    new Kept(
                            items,
                            item -> {
                                Object tested =
                                        way.map(
                                                        place ->
                                                                Members.at(
                                                                        rendering.budget(),
                                                                        item,
                                                                        place))
                                                .orElse(item);
                                budget.take(1);
                                return test.body().holds(budget, tested, values) == kept;
                            }));
        }
    }

    /** What the statements of a block write: the value of a set block. */
    record Captured(List<Statement> body) implements Expression {
        @Override
        public Object evaluate(Rendering rendering) {
            return rendering.capture(body, rendering.scope().inner());
        }
    }
}
