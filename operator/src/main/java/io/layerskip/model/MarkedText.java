package io.layerskip.model;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.flink.annotation.PublicEvolving;

/**
 * A text of which some parts may hold special tokens and the others may not: what a chat template
 * wrote, and what stands in the messages.
 *
 * @param parts in their order, none empty
 */
@PublicEvolving
public record MarkedText(List<Part> parts) {

    /**
     * A part of a text.
     *
     * @param special whether the text of a special token in it is that token
     */
    public record Part(String text, boolean special) {}

    public MarkedText {
        parts = List.copyOf(parts);
    }

    /** The whole text. */
    public String text() {
        return parts.stream().map(Part::text).collect(Collectors.joining());
    }

    /** Puts parts together. */
    public static final class Builder {

        private final List<Part> parts = new ArrayList<>();

        /**
         * Adds a part, if it is not empty; one after its like makes one part with it.
         *
         * @param special whether the text of a special token in it is that token
         */
        public Builder add(String text, boolean special) {
            int last = parts.size() - 1;
            if (last >= 0 && parts.get(last).special() == special) {
                parts.set(last, new Part(parts.get(last).text() + text, special));
            } else if (!text.isEmpty()) {
                parts.add(new Part(text, special));
            }
            return this;
        }

        public MarkedText build() {
            return new MarkedText(parts);
        }
    }
}
