package io.layerskip.connectors;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Where a value stands in a JSON object: names with dots between them, and indices of arrays, from
 * 0, in brackets, as in {@code items[0].name}. A name has no dot, bracket, brace or bar.
 *
 * @param steps from the object to the value, at least one, the first a name
 */
record RecordPath(List<Step> steps) {

    private static final Pattern STEP =
            Pattern.compile("\\.?(?<name>[^.\\[\\]{}|]+)|\\[(?<index>0|[1-9][0-9]{0,8})\\]");

    /**
     * A member of an object, or an element of an array.
     *
     * @param name of the member; empty for an element
     * @param index of the element; negative for a member
     */
    record Step(String name, int index) {

        static Step member(String name) {
            return new Step(name, -1);
        }

        static Step element(int index) {
            return new Step("", index);
        }

        boolean isMember() {
            return index < 0;
        }

        @Override
        public String toString() {
            return isMember() ? name : "[" + index + "]";
        }
    }

    /**
     * @throws IllegalArgumentException if the text is no path
     */
    static RecordPath parse(String text) {
        List<Step> steps = new ArrayList<>();
        Matcher matcher = STEP.matcher(text);
        int at = 0;
        while (at < text.length()) {
            boolean dotted = text.charAt(at) == '.';
            matcher.region(at, text.length());
            if (!matcher.lookingAt() || dotted == steps.isEmpty() && isName(matcher)) {
                throw new IllegalArgumentException("\"" + text + "\" is no path");
            }
            steps.add(
                    isName(matcher)
                            ? Step.member(matcher.group("name"))
                            : Step.element(Integer.parseInt(matcher.group("index"))));
            at = matcher.end();
        }
        if (steps.isEmpty() || !steps.get(0).isMember()) {
            throw new IllegalArgumentException("\"" + text + "\" is no path");
        }
        return new RecordPath(List.copyOf(steps));
    }

    private static boolean isName(Matcher matcher) {
        return matcher.group("name") != null;
    }

    /** Whether it goes through objects only. */
    boolean hasOnlyNames() {
        return steps.stream().allMatch(Step::isMember);
    }

    /** Whether one of the two is the other or leads on from it. */
    boolean overlaps(RecordPath other) {
        int common = Math.min(steps.size(), other.steps.size());
        return steps.subList(0, common).equals(other.steps.subList(0, common));
    }

    /** The path of the first so many steps. */
    RecordPath first(int count) {
        return new RecordPath(steps.subList(0, count));
    }

    @Override
    public String toString() {
        StringBuilder text = new StringBuilder();
        for (Step step : steps) {
            text.append(text.length() > 0 && step.isMember() ? "." : "").append(step);
        }
        return text.toString();
    }
}
