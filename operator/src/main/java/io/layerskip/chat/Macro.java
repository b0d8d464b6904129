package io.layerskip.chat;

import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A macro, as a value.
 *
 * @param takesCaller whether it may be called with a block, which it names {@value #CALLER}
 * @param scope where it was defined
 */
record Macro(
        String name,
        List<Parameter> parameters,
        List<Statement> body,
        boolean takesCaller,
        Scope scope) {

    static final String CALLER = "caller";

    record Parameter(String name, Optional<Expression> absent) {}

    /**
     * What the macro writes.
     *
     * @param caller the block that it is called with
     */
    Str call(
            Rendering rendering,
            List<Object> positional,
            Map<String, Object> keywords,
            Optional<Macro> caller) {
        if (caller.isPresent() && !takesCaller) {
            throw new RenderError("macro '%s' does not take a block".formatted(name));
        }
        if (positional.size() > parameters.size()) {
            throw new RenderError(
                    "macro '%s' takes %d arguments at the most, not %d"
                            .formatted(name, parameters.size(), positional.size()));
        }
        for (String keyword : keywords.keySet()) {
            int place = place(keyword);
            if (place < 0 || place < positional.size()) {
                throw new RenderError(
                        "macro '%s' does not take an argument '%s' here".formatted(name, keyword));
            }
        }
        Scope inner = scope.inner();
        if (takesCaller) {
            inner.set(
                    CALLER,
                    caller.<Object>map(block -> block)
                            .orElseGet(() -> new Values.Undefined("no block was passed")));
        }
        for (int i = 0; i < parameters.size(); i++) {
            String parameter = parameters.get(i).name();
            inner.set(
                    parameter,
                    i < positional.size()
                            ? positional.get(i)
                            : keywords.containsKey(parameter)
                                    ? keywords.get(parameter)
                                    : absent(rendering, parameters.get(i), inner));
        }
        return rendering.capture(body, inner);
    }

    private static Object absent(Rendering rendering, Parameter parameter, Scope inner) {
        return parameter
                .absent()
                .map(value -> rendering.evaluate(value, inner))
                .orElseGet(
                        () ->
                                new Values.Undefined(
                                        "parameter '%s' was not provided"
                                                .formatted(parameter.name())));
    }

    private int place(String parameter) {
        for (int i = 0; i < parameters.size(); i++) {
            if (parameters.get(i).name().equals(parameter)) {
                return i;
            }
        }
        return -1;
    }
}
