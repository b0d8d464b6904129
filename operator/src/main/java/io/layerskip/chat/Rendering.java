package io.layerskip.chat;

import io.layerskip.chat.Values.Callable;
import io.layerskip.chat.Values.Undefined;
import java.time.Instant;
import java.util.List;

/** One rendering under way: what is set, what is written, and what it may still take. */
final class Rendering {

    private final Budget budget;
    private final Instant now;
    private Scope scope;
    private Str.Builder output = new Str.Builder();

    /**
     * @param now what the template takes for the present
     */
    Rendering(Budget budget, Scope scope, Instant now) {
        this.budget = budget;
        this.scope = scope;
        this.now = now;
    }

    Budget budget() {
        return budget;
    }

    Instant now() {
        return now;
    }

    Scope scope() {
        return scope;
    }

    Object evaluate(Expression expression) {
        budget.take(1);
        budget.enter();
        Object value = expression.evaluate(this);
        budget.leave();
        return value;
    }

    Object evaluate(Expression expression, Scope inner) {
        Scope outer = scope;
        scope = inner;
        Object value = evaluate(expression);
        scope = outer;
        return value;
    }

    Object lookUp(String name) {
        return scope.get(name)
                .orElseGet(
                        () ->
                                Functions.BY_NAME.containsKey(name)
                                        ? new Callable(name)
                                        : Undefined.name(name));
    }

    Flow execute(List<Statement> statements) {
        budget.enter();
        Flow flow = Flow.ON;
        for (int i = 0; i < statements.size() && flow == Flow.ON; i++) {
            budget.take(1);
            flow = statements.get(i).execute(this);
        }
        budget.leave();
        return flow;
    }

    /** Executes statements in a scope of their own. */
    Flow execute(List<Statement> statements, Scope inner) {
        Scope outer = scope;
        scope = inner;
        Flow flow = execute(statements);
        scope = outer;
        return flow;
    }

    /** What statements write, in a scope of their own. */
    Str capture(List<Statement> statements, Scope inner) {
        Str.Builder outer = output;
        output = new Str.Builder();
        execute(statements, inner);
        Str written = output.build();
        output = outer;
        return written;
    }

    void write(Str text) {
        budget.takeText(text.text().length());
        budget.checkLength((long) output.length() + text.text().length());
        output.append(text);
    }

    Str written() {
        return output.build();
    }
}
