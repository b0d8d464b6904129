package io.layerskip.chat;

import io.layerskip.chat.StrMethods.Ends;
import io.layerskip.chat.Values.DictValue;
import io.layerskip.chat.Values.ListValue;
import io.layerskip.chat.Values.None;
import io.layerskip.chat.Values.TupleValue;
import io.layerskip.chat.Values.View;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;

/** The methods of Python's types that a template may call; none of them changes its object. */
final class Methods {

    /** The types that have methods. */
    enum Owner {
        STR,
        LIST,
        TUPLE,
        DICT,
        LOOP;

        static Optional<Owner> of(Object value) {
            if (value instanceof Str) {
                return Optional.of(STR);
            } else if (value instanceof ListValue) {
                return Optional.of(LIST);
            } else if (value instanceof TupleValue) {
                return Optional.of(TUPLE);
            } else if (value instanceof DictValue) {
                return Optional.of(DICT);
            }
            return value instanceof Loop ? Optional.of(LOOP) : Optional.empty();
        }
    }

    /** What a method does with its object and arguments. */
    @FunctionalInterface
    interface Body {
        Object call(Object self, Arguments arguments);
    }

    /** A method of one type. */
    record Method(Owner owner, String name, Signature signature, Body body) {}

    private static final Map<String, List<Method>> BY_NAME =
            Arrays.asList(
                            str("strip", "*chars?", a -> strip(a, Ends.BOTH)),
                            str("lstrip", "*chars?", a -> strip(a, Ends.LEFT)),
                            str("rstrip", "*chars?", a -> strip(a, Ends.RIGHT)),
                            str("upper", "", a -> a.self.upper()),
                            str("lower", "", a -> a.self.lower()),
                            str("title", "", a -> StrMethods.title(a.self)),
                            str("capitalize", "", a -> StrMethods.capitalize(a.self)),
                            str(
                                    "split",
                                    "sep? maxsplit?",
                                    a ->
                                            StrMethods.split(
                                                    a.budget(),
                                                    a.self,
                                                    a.rest.some(0),
                                                    a.rest.integer(1, -1))),
                            str(
                                    "rsplit",
                                    "sep? maxsplit?",
                                    a ->
                                            StrMethods.splitFromRight(
                                                    a.budget(),
                                                    a.self,
                                                    a.rest.some(0),
                                                    a.rest.integer(1, -1))),
                            str(
                                    "splitlines",
                                    "keepends?",
                                    a ->
                                            StrMethods.splitLines(
                                                    a.budget(), a.self, a.rest.flag(0, false))),
                            str(
                                    "partition",
                                    "*sep",
                                    a ->
                                            StrMethods.partition(
                                                    a.budget(), a.self, a.rest.text(0), false)),
                            str(
                                    "rpartition",
                                    "*sep",
                                    a ->
                                            StrMethods.partition(
                                                    a.budget(), a.self, a.rest.text(0), true)),
                            str(
                                    "replace",
                                    "*old *new *count?",
                                    a ->
                                            StrMethods.replace(
                                                    a.budget(),
                                                    a.self,
                                                    a.rest.text(0),
                                                    a.rest.text(1),
                                                    a.rest.integer(2, -1))),
                            str(
                                    "join",
                                    "*iterable",
                                    a ->
                                            StrMethods.join(
                                                    a.budget(), a.self, a.rest.value(0), true)),
                            str(
                                    "startswith",
                                    "*prefix",
                                    a -> StrMethods.hasEdge(a.self, a.rest.value(0), true)),
                            str(
                                    "endswith",
                                    "*suffix",
                                    a -> StrMethods.hasEdge(a.self, a.rest.value(0), false)),
                            str(
                                    "removeprefix",
                                    "*prefix",
                                    a -> {
                                        int length = a.rest.text(0).text().length();
                                        return StrMethods.hasEdge(a.self, a.rest.value(0), true)
                                                ? a.self.substring(length, a.length())
                                                : a.self;
                                    }),
                            str(
                                    "removesuffix",
                                    "*suffix",
                                    a -> {
                                        int length = a.rest.text(0).text().length();
                                        return StrMethods.hasEdge(a.self, a.rest.value(0), false)
                                                ? a.self.substring(0, a.length() - length)
                                                : a.self;
                                    }),
                            str(
                                    "find",
                                    "*sub",
                                    a ->
                                            StrMethods.find(
                                                    a.budget(), a.self, a.rest.text(0), false)),
                            str(
                                    "rfind",
                                    "*sub",
                                    a -> StrMethods.find(a.budget(), a.self, a.rest.text(0), true)),
                            str("index", "*sub", a -> requireFound(a, false)),
                            str("rindex", "*sub", a -> requireFound(a, true)),
                            str(
                                    "count",
                                    "*sub",
                                    a -> StrMethods.count(a.budget(), a.self, a.rest.text(0))),
                            str(
                                    "isspace",
                                    "",
                                    a -> StrMethods.isAll(a.budget(), a.self, Whitespace::is)),
                            str(
                                    "isdigit",
                                    "",
                                    a -> StrMethods.isAll(a.budget(), a.self, StrMethods::isDigit)),
                            str(
                                    "isalpha",
                                    "",
                                    a ->
                                            StrMethods.isAll(
                                                    a.budget(), a.self, StrMethods::isAlphabetic)),
                            str(
                                    "isupper",
                                    "",
                                    a ->
                                            StrMethods.hasCase(
                                                    a.budget(), a.self, Character::isUpperCase)),
                            str(
                                    "islower",
                                    "",
                                    a ->
                                            StrMethods.hasCase(
                                                    a.budget(), a.self, Character::isLowerCase)),
                            new Method(
                                    Owner.STR,
                                    "format",
                                    Signature.of().andMore().andKeywords(),
                                    (self, arguments) ->
                                            StrMethods.format(
                                                    arguments.budget(), (Str) self, arguments)),
                            new Method(
                                    Owner.DICT,
                                    "get",
                                    Signature.of("*key", "*default?"),
                                    (self, arguments) ->
                                            Optional.ofNullable(
                                                            entries(self)
                                                                    .get(
                                                                            Python.key(
                                                                                    arguments.value(
                                                                                            0))))
                                                    .orElse(arguments.value(1, None.NONE))),
                            dict(
                                    "keys",
                                    self ->
                                            new View(
                                                    "dict_keys",
                                                    List.copyOf(entries(self).keySet()))),
                            dict(
                                    "values",
                                    self ->
                                            new View(
                                                    "dict_values",
                                                    List.copyOf(entries(self).values()))),
                            dict("items", self -> new View("dict_items", items(entries(self)))),
                            dict("copy", self -> self),
                            items(Owner.LIST, "index", Methods::index),
                            items(Owner.LIST, "count", Methods::count),
                            items(Owner.TUPLE, "index", Methods::index),
                            items(Owner.TUPLE, "count", Methods::count),
                            new Method(
                                    Owner.LIST, "copy", Signature.of(), (self, arguments) -> self),
                            new Method(
                                    Owner.LOOP,
                                    "cycle",
                                    Signature.of().andMore(),
                                    (self, arguments) -> ((Loop) self).cycle(arguments.more())))
                    .stream()
                    .collect(Collectors.groupingBy(Method::name));

    private Methods() {}

    /** The methods of a name, of all types. */
    static List<Method> named(String name) {
        return BY_NAME.getOrDefault(name, List.of());
    }

    static boolean isKnown(Object value, String name) {
        Optional<Owner> owner = Owner.of(value);
        return named(name).stream().anyMatch(method -> Optional.of(method.owner()).equals(owner));
    }

    /** The names that no object of these types lets a template call: they would change it. */
    static boolean changes(String name) {
        return switch (name) {
            case "append",
                    "clear",
                    "extend",
                    "insert",
                    "pop",
                    "popitem",
                    "remove",
                    "reverse",
                    "setdefault",
                    "sort",
                    "update" ->
                    true;
            default -> false;
        };
    }

    /** A text and the arguments of its method. */
    private record StrCall(Str self, Arguments rest) {

        Budget budget() {
            return rest.budget();
        }

        int length() {
            return self.text().length();
        }
    }

    private static Method str(String name, String parameters, Function<StrCall, Object> body) {
        return new Method(
                Owner.STR,
                name,
                Signature.parse(parameters),
                (self, arguments) -> {
                    Str text = (Str) self;
                    arguments.budget().takeText(text.text().length());
                    return body.apply(new StrCall(text, arguments));
                });
    }

    private static Method dict(String name, Function<Object, Object> body) {
        return new Method(
                Owner.DICT,
                name,
                Signature.of(),
                (self, arguments) -> {
                    arguments.budget().take(entries(self).size());
                    return body.apply(self);
                });
    }

    private static Method items(Owner owner, String name, Body body) {
        return new Method(owner, name, Signature.of("*value"), body);
    }

    private static Str strip(StrCall call, Ends ends) {
        return StrMethods.strip(call.budget(), call.self, call.rest.some(0), ends);
    }

    private static Object requireFound(StrCall call, boolean last) {
        long found = StrMethods.find(call.budget(), call.self, call.rest.text(0), last);
        if (found < 0) {
            throw new RenderError("the chat template wants the index of a text that is not there");
        }
        return found;
    }

    private static Map<Object, Object> entries(Object dict) {
        return ((DictValue) dict).entries();
    }

    /** The entries as tuples of key and value. */
    static List<Object> items(Map<Object, Object> entries) {
        List<Object> items = new ArrayList<>();
        entries.forEach((key, value) -> items.add(new TupleValue(List.of(key, value))));
        return items;
    }

    private static Object index(Object self, Arguments arguments) {
        List<Object> items = Python.sequence(self).orElseThrow();
        for (int i = 0; i < items.size(); i++) {
            arguments.budget().take(1);
            if (Python.equal(arguments.budget(), items.get(i), arguments.value(0))) {
                return (long) i;
            }
        }
        throw new RenderError("the chat template wants the index of an item that is not there");
    }

    private static Object count(Object self, Arguments arguments) {
        long count = 0;
        for (Object item : Python.sequence(self).orElseThrow()) {
            arguments.budget().take(1);
            if (Python.equal(arguments.budget(), item, arguments.value(0))) {
                count++;
            }
        }
        return count;
    }
}
