package io.layerskip.chat;

import io.layerskip.chat.Values.DictValue;
import io.layerskip.chat.Values.Namespace;
import io.layerskip.chat.Values.View;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The functions that Jinja and transformers give to a chat template. */
final class Functions {

    static final String STRFTIME_NOW = "strftime_now";

    /** Jinja's limit for templates that are not trusted. */
    private static final int MAX_RANGE = 100_000;

    @FunctionalInterface
    interface Body {
        Object call(Rendering rendering, Arguments arguments);
    }

    /** A function. */
    record Function(String name, Signature signature, Body body) {}

    /** Jinja's own that are not supported: a template that names one is refused. */
    static final Set<String> NOT_SUPPORTED =
            Set.of("cycler", "joiner", "lipsum", "self", "super", "caller", "varargs", "kwargs");

    static final Map<String, Function> BY_NAME =
            Stream.of(
                            new Function(
                                    "range", Signature.of("*a", "*b?", "*c?"), Functions::range),
                            new Function(
                                    "namespace",
                                    Signature.of().andKeywords(),
                                    (rendering, arguments) -> {
                                        Namespace namespace = new Namespace();
                                        arguments.keywords().forEach(namespace::set);
                                        return namespace;
                                    }),
                            new Function(
                                    "dict",
                                    Signature.of("*mapping?").andKeywords(),
                                    Functions::dict),
                            new Function(
                                    "raise_exception",
                                    Signature.of("message"),
                                    (rendering, arguments) -> {
                                        throw new RenderError(
                                                "the chat template refuses the messages: "
                                                        + Texts.of(
                                                                rendering.budget(),
                                                                arguments.value(0)));
                                    }),
                            new Function(
                                    STRFTIME_NOW,
                                    Signature.of("format"),
                                    (rendering, arguments) ->
                                            Strftime.format(
                                                    rendering.budget(),
                                                    arguments.text(0),
                                                    rendering.now())))
                    .collect(
                            Collectors.toMap(
                                    Function::name, java.util.function.Function.identity()));

    private Functions() {}

    private static Object range(Rendering rendering, Arguments arguments) {
        long first = arguments.integer(0, 0);
        boolean hasStop = arguments.optional(1).isPresent();
        long start = hasStop ? first : 0;
        long stop = hasStop ? arguments.integer(1, 0) : first;
        long step = arguments.integer(2, 1);
        if (step == 0) {
            throw new RenderError("the chat template takes a range with a step of 0");
        }
        List<Object> numbers = new ArrayList<>();
        for (long i = start; step > 0 ? i < stop : i > stop; i += step) {
            if (numbers.size() == MAX_RANGE) {
                throw new RenderError(
                        "the chat template takes a range of more than %d numbers"
                                .formatted(MAX_RANGE));
            }
            rendering.budget().take(1);
            numbers.add(i);
        }
        return new View(View.RANGE, numbers);
    }

    private static Object dict(Rendering rendering, Arguments arguments) {
        Map<Object, Object> entries = new LinkedHashMap<>();
        if (arguments.optional(0).isPresent()) {
            if (!(arguments.value(0) instanceof DictValue other)) {
                throw new RenderError(
                        "the chat template makes a dict of '%s', which is not supported"
                                .formatted(Python.type(arguments.value(0))));
            }
            rendering.budget().take(other.entries().size());
            entries.putAll(other.entries());
        }
        arguments.keywords().forEach((name, value) -> entries.put(Str.ofTemplate(name), value));
        return new DictValue(entries);
    }
}
