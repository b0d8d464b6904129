package io.layerskip.chat;

import io.layerskip.chat.Values.Callable;
import io.layerskip.chat.Values.Undefined;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;

/** The variable {@code loop} inside a for: where the loop stands. */
final class Loop {

    /** What can be asked of it. */
    static final Set<String> ATTRIBUTES =
            Set.of(
                    "index",
                    "index0",
                    "revindex",
                    "revindex0",
                    "first",
                    "last",
                    "length",
                    "previtem",
                    "nextitem",
                    "depth",
                    "depth0",
                    "cycle");

    private Iterator<Object> items;
    private OptionalLong length;
    private int index = -1;
    private Optional<Object> previous = Optional.empty();
    private Optional<Object> current = Optional.empty();

    /** The item after the current one, if it was looked at. */
    private Optional<Object> following = Optional.empty();

    private Loop(Iterator<Object> items, OptionalLong length) {
        this.items = items;
        this.length = length;
    }

    /** A loop over items that come one by one: the next one is looked at when it is asked for. */
    static Loop over(Iterator<Object> items) {
        return new Loop(items, OptionalLong.empty());
    }

    static Loop over(Iterator<Object> items, long length) {
        return new Loop(items, OptionalLong.of(length));
    }

    /** Goes on to the next item, if there is one. */
    boolean next() {
        if (isLast()) {
            return false;
        }
        Object next = following();
        following = Optional.empty();
        previous = current;
        current = Optional.of(next);
        index++;
        return true;
    }

    Object current() {
        return current.orElseThrow();
    }

    /** How many items there are; takes in those that are still to come. */
    long length() {
        if (length.isEmpty()) {
            List<Object> rest = new ArrayList<>();
            items.forEachRemaining(rest::add);
            items = rest.iterator();
            length = OptionalLong.of(index + 1L + (following.isPresent() ? 1 : 0) + rest.size());
        }
        return length.getAsLong();
    }

    private boolean isLast() {
        return following.isEmpty() && !items.hasNext();
    }

    private Object following() {
        if (isLast()) {
            return new Undefined("there is no next item");
        }
        if (following.isEmpty()) {
            following = Optional.of(items.next());
        }
        return following.get();
    }

    Object attribute(String name) {
        return switch (name) {
            case "index" -> index + 1L;
            case "index0" -> (long) index;
            case "revindex" -> length() - index;
            case "revindex0" -> length() - index - 1;
            case "first" -> index == 0;
            case "last" -> isLast();
            case "length" -> length();
            case "previtem" -> previous.orElseGet(() -> new Undefined("there is no previous item"));
            case "nextitem" -> following();
            case "depth" -> 1L;
            case "depth0" -> 0L;
            case "cycle" -> new Callable("cycle");
            default -> Undefined.member(this, name);
        };
    }

    Object cycle(List<Object> values) {
        if (values.isEmpty()) {
            throw new RenderError("the chat template cycles through no items");
        }
        return values.get(index % values.size());
    }
}
