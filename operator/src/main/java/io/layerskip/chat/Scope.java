package io.layerskip.chat;

import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/** The names that are set in a part of a template, and around it, those of the parts around. */
final class Scope {

    private final Map<String, Object> names = new HashMap<>();
    private final Optional<Scope> around;

    private Scope(Optional<Scope> around) {
        this.around = around;
    }

    static Scope outermost(Map<String, Object> names) {
        Scope scope = new Scope(Optional.empty());
        scope.names.putAll(names);
        return scope;
    }

    Scope inner() {
        return new Scope(Optional.of(this));
    }

    Optional<Object> get(String name) {
        Scope scope = this;
        while (true) {
            Object value = scope.names.get(name);
            if (value != null || scope.around.isEmpty()) {
                return Optional.ofNullable(value);
            }
            scope = scope.around.get();
        }
    }

    void set(String name, Object value) {
        names.put(name, value);
    }
}
