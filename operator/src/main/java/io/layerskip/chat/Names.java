package io.layerskip.chat;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/** The names that a template reads, sets and calls, noted while it is parsed. */
final class Names {

    private final Set<String> read = new HashSet<>();
    private final Set<String> set = new HashSet<>();
    private final Map<String, Position> called = new HashMap<>();
    private int loops;

    /** Of each macro around what is parsed: whether it reads {@value Macro#CALLER}. */
    private final Deque<Boolean> macros = new ArrayDeque<>();

    void read(Token name) throws ChatTemplateException {
        if (name.text().equals(Macro.CALLER) && !macros.isEmpty()) {
            macros.pop();
            macros.push(true);
            return;
        }
        if (Functions.NOT_SUPPORTED.contains(name.text())) {
            throw ChatTemplateException.at(
                    name.position(), "unknown function '%s'".formatted(name.text()));
        }
        read.add(name.text());
    }

    /** Notes that the template sets a variable or defines a macro of this name. */
    void set(Token name) throws ChatTemplateException {
        boolean isReserved =
                Functions.BY_NAME.containsKey(name.text())
                        || Functions.NOT_SUPPORTED.contains(name.text())
                        || name.text().equals(Statement.For.LOOP)
                        || isConstant(name.text());
        if (isReserved) {
            throw ChatTemplateException.at(
                    name.position(), "'%s' as the name of a variable".formatted(name.text()));
        }
        set.add(name.text());
    }

    private static boolean isConstant(String name) {
        return switch (name) {
            case "true", "True", "false", "False", "none", "None" -> true;
            default -> false;
        };
    }

    /** Notes that what is called by this name has to be a macro. */
    void called(String name, Position position) {
        if (!name.equals(Macro.CALLER)) {
            called.putIfAbsent(name, position);
        }
    }

    void enterMacro() {
        macros.push(false);
    }

    /** Whether the macro that ends here reads {@value Macro#CALLER}. */
    boolean leaveMacro() {
        return macros.pop();
    }

    void enterLoop() {
        loops++;
    }

    void leaveLoop() {
        loops--;
    }

    boolean isInLoop() {
        return loops > 0;
    }

    /** Refuses calls of what the template nowhere defines. */
    void checkCalls() throws ChatTemplateException {
        for (Map.Entry<String, Position> call : called.entrySet()) {
            if (!set.contains(call.getKey())) {
                throw ChatTemplateException.at(
                        call.getValue(), "unknown function '%s'".formatted(call.getKey()));
            }
        }
    }

    /** The names that the template reads. */
    Set<String> read() {
        return Set.copyOf(read);
    }
}
