package io.layerskip.chat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The parameters of a filter, test, function or method: what a template may pass is checked against
 * them when the template is parsed.
 *
 * @param parameters in their order, those that are required first
 * @param takesMore whether further positional arguments are taken
 * @param takesKeywords whether keyword arguments of any name are taken
 */
record Signature(List<Parameter> parameters, boolean takesMore, boolean takesKeywords) {

    record Parameter(String name, boolean required, boolean positionalOnly) {}

    /**
     * What a call passes, as it stands in the template.
     *
     * @param unpacked what {@code *} stands before: further positional arguments, for macros only
     */
    record Passed(
            List<Expression> positional,
            Map<String, Expression> keywords,
            Optional<Expression> unpacked) {

        static final Passed NOTHING = new Passed(List.of(), Map.of(), Optional.empty());
    }

    /**
     * The parameters by their names; {@code name?} need not be passed, {@code *name} cannot be
     * passed by its name.
     */
    static Signature of(String... parameters) {
        List<Parameter> list = new ArrayList<>();
        for (String parameter : parameters) {
            boolean required = !parameter.endsWith("?");
            boolean positionalOnly = parameter.startsWith("*");
            String name =
                    parameter.substring(
                            positionalOnly ? 1 : 0, parameter.length() - (required ? 0 : 1));
            list.add(new Parameter(name, required, positionalOnly));
        }
        return new Signature(list, false, false);
    }

    /** The same, of one text with spaces between the parameters. */
    static Signature parse(String parameters) {
        return parameters.isEmpty() ? of() : of(parameters.split(" "));
    }

    /** The same, and any further positional arguments. */
    Signature andMore() {
        return new Signature(parameters, true, takesKeywords);
    }

    /** The same, and keyword arguments of any name. */
    Signature andKeywords() {
        return new Signature(parameters, takesMore, true);
    }

    /**
     * Which parameter gets which argument.
     *
     * @param what the filter, test, function or method, for the message
     * @throws ChatTemplateException if the arguments do not fit
     */
    BoundArguments bind(String what, Passed passed, Position position)
            throws ChatTemplateException {
        if (passed.unpacked().isPresent()) {
            throw ChatTemplateException.at(
                    position, "%s with arguments unpacked by '*'".formatted(what));
        }
        List<Optional<Expression>> slots =
                new ArrayList<>(Collections.nCopies(parameters.size(), Optional.empty()));
        List<Expression> more = new ArrayList<>();
        for (int i = 0; i < passed.positional().size(); i++) {
            Expression argument = passed.positional().get(i);
            if (i < parameters.size()) {
                slots.set(i, Optional.of(argument));
            } else if (takesMore) {
                more.add(argument);
            } else {
                throw ChatTemplateException.at(
                        position,
                        "%s takes %d arguments at the most, not %d"
                                .formatted(what, parameters.size(), passed.positional().size()));
            }
        }
        Map<String, Expression> keywords = new LinkedHashMap<>();
        for (Map.Entry<String, Expression> keyword : passed.keywords().entrySet()) {
            int slot = slot(keyword.getKey());
            if (slot < 0 && takesKeywords) {
                keywords.put(keyword.getKey(), keyword.getValue());
            } else if (slot < 0) {
                throw ChatTemplateException.at(
                        position, "%s knows no argument '%s'".formatted(what, keyword.getKey()));
            } else if (slots.get(slot).isPresent()) {
                throw ChatTemplateException.at(
                        position, "%s has '%s' twice".formatted(what, keyword.getKey()));
            } else {
                slots.set(slot, Optional.of(keyword.getValue()));
            }
        }
        for (int i = 0; i < slots.size(); i++) {
            if (parameters.get(i).required() && slots.get(i).isEmpty()) {
                throw ChatTemplateException.at(
                        position,
                        "%s lacks its argument '%s'".formatted(what, parameters.get(i).name()));
            }
        }
        return new BoundArguments(List.copyOf(slots), List.copyOf(more), keywords);
    }

    private int slot(String name) {
        for (int i = 0; i < parameters.size(); i++) {
            if (parameters.get(i).name().equals(name) && !parameters.get(i).positionalOnly()) {
                return i;
            }
        }
        return -1;
    }
}
