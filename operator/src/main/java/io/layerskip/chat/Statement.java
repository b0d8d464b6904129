package io.layerskip.chat;

import io.layerskip.chat.Values.Lazy;
import io.layerskip.chat.Values.Namespace;
import io.layerskip.chat.Values.Undefined;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;

/** A part of a template that does something. */
sealed interface Statement {

    Flow execute(Rendering rendering);

    /** The template's own text. */
    record Data(Str text) implements Statement {
        @Override
        public Flow execute(Rendering rendering) {
            rendering.write(text);
            return Flow.ON;
        }
    }

    /** {@code {{ value }}}. */
    record Output(Expression value) implements Statement {
        @Override
        public Flow execute(Rendering rendering) {
            rendering.write(Texts.of(rendering.budget(), rendering.evaluate(value)));
            return Flow.ON;
        }
    }

    /** {@code {% if %}}, its elifs and its else, which has no condition. */
    record If(List<Branch> branches) implements Statement {

        record Branch(Optional<Expression> condition, List<Statement> body) {}

        @Override
        public Flow execute(Rendering rendering) {
            for (Branch branch : branches) {
                if (branch.condition().isEmpty()
                        || Python.isTrue(rendering.evaluate(branch.condition().get()))) {
                    return rendering.execute(branch.body());
                }
            }
            return Flow.ON;
        }
    }

    /** {@code {% for target in items if condition %}}. */
    record For(
            Target target,
            Expression items,
            Optional<Expression> condition,
            List<Statement> body,
            List<Statement> otherwise)
            implements Statement {

        static final String LOOP = "loop";

        @Override
        public Flow execute(Rendering rendering) {
            Object all = rendering.evaluate(items);
            Iterator<Object> iterator = Python.iterate(rendering.budget(), all);
            Scope scope = rendering.scope();
            Loop loop =
                    condition.isPresent()
                            ? Loop.over(new Kept(iterator, item -> holds(rendering, item, scope)))
                            : all instanceof Lazy
                                    ? Loop.over(iterator)
                                    : Loop.over(iterator, Python.length(rendering.budget(), all));
            boolean isEmpty = true;
            while (loop.next()) {
                isEmpty = false;
                Scope inner = rendering.scope().inner();
                inner.set(LOOP, loop);
                target.assign(rendering.budget(), inner, loop.current());
                if (rendering.execute(body, inner) == Flow.BREAK) {
                    break;
                }
            }
            return isEmpty ? rendering.execute(otherwise, rendering.scope().inner()) : Flow.ON;
        }

        private boolean holds(Rendering rendering, Object item, Scope scope) {
            Scope inner = scope.inner();
            target.assign(rendering.budget(), inner, item);
            return Python.isTrue(rendering.evaluate(condition.orElseThrow(), inner));
        }
    }

    /** {@code {% break %}} or {@code {% continue %}}. */
    record Jump(Flow flow) implements Statement {
        @Override
        public Flow execute(Rendering rendering) {
            return flow;
        }
    }

    /** {@code {% set target = value %}}, and a set block. */
    record Assignment(Target target, Expression value) implements Statement {
        @Override
        public Flow execute(Rendering rendering) {
            target.assign(rendering.budget(), rendering.scope(), rendering.evaluate(value));
            return Flow.ON;
        }
    }

    /** {@code {% macro name(parameters) %}}. */
    record Definition(
            String name,
            List<Macro.Parameter> parameters,
            List<Statement> body,
            boolean takesCaller)
            implements Statement {
        @Override
        public Flow execute(Rendering rendering) {
            rendering
                    .scope()
                    .set(name, new Macro(name, parameters, body, takesCaller, rendering.scope()));
            return Flow.ON;
        }
    }

    /** {@code {% call(parameters) macro(...) %}}: a macro that is passed a block. */
    record Call(
            Expression.MacroCall call,
            List<Macro.Parameter> parameters,
            List<Statement> body,
            boolean takesCaller)
            implements Statement {
        @Override
        public Flow execute(Rendering rendering) {
            Macro caller =
                    new Macro(Macro.CALLER, parameters, body, takesCaller, rendering.scope());
            rendering.write(call.call(rendering, Optional.of(caller)));
            return Flow.ON;
        }
    }

    /** Statements in a scope of their own, with some names set: with, and generation. */
    record Block(List<Target> targets, List<Expression> values, List<Statement> body)
            implements Statement {
        @Override
        public Flow execute(Rendering rendering) {
            Scope inner = rendering.scope().inner();
            for (int i = 0; i < targets.size(); i++) {
                targets.get(i).assign(rendering.budget(), inner, rendering.evaluate(values.get(i)));
            }
            return rendering.execute(body, inner);
        }
    }

    /** Where a value goes. */
    sealed interface Target {

        void assign(Budget budget, Scope scope, Object value);

        /** A variable. */
        record Variable(String name) implements Target {
            @Override
            public void assign(Budget budget, Scope scope, Object value) {
                scope.set(name, value);
            }
        }

        /** {@code a, b}. */
        record Several(List<Target> targets) implements Target {
            @Override
            public void assign(Budget budget, Scope scope, Object value) {
                Python.requireDefined(value);
                List<Object> items = Python.toList(budget, value);
                if (items.size() != targets.size()) {
                    throw new RenderError(
                            "the chat template unpacks %d items into %d names"
                                    .formatted(items.size(), targets.size()));
                }
                for (int i = 0; i < targets.size(); i++) {
                    targets.get(i).assign(budget, scope, items.get(i));
                }
            }
        }

        /** {@code namespace.attribute}. */
        record NamespaceAttribute(String namespace, String attribute) implements Target {
            @Override
            public void assign(Budget budget, Scope scope, Object value) {
                if (scope.get(namespace).orElse(Undefined.name(namespace))
                        instanceof Namespace found) {
                    found.set(attribute, value);
                } else {
                    throw new RenderError(
                            "the chat template sets %s.%s; %s is no namespace"
                                    .formatted(namespace, attribute, namespace));
                }
            }
        }
    }
}
