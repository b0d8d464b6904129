package io.layerskip.chat;

import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.function.Predicate;

/** The items that are kept, each looked at when its turn comes. */
final class Kept implements Iterator<Object> {

    private final Iterator<Object> all;
    private final Predicate<Object> isKept;
    private Optional<Object> next = Optional.empty();

    Kept(Iterator<Object> all, Predicate<Object> isKept) {
        this.all = all;
        this.isKept = isKept;
    }

    @Override
    public boolean hasNext() {
        while (next.isEmpty() && all.hasNext()) {
            next = Optional.of(all.next()).filter(isKept);
        }
        return next.isPresent();
    }

    @Override
    public Object next() {
        if (!hasNext()) {
            throw new NoSuchElementException();
        }
        Object item = next.get();
        next = Optional.empty();
        return item;
    }
}
