package io.layerskip.chat;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The arguments of a call that fit its {@link Signature}.
 *
 * @param slots one for each parameter; empty where nothing is passed
 * @param more further positional ones
 * @param keywords those of any name
 */
record BoundArguments(
        List<Optional<Expression>> slots, List<Expression> more, Map<String, Expression> keywords) {

    Arguments evaluate(Rendering rendering) {
        List<Optional<Object>> values =
                slots.stream().map(slot -> slot.map(rendering::evaluate)).toList();
        List<Object> moreValues = more.stream().map(rendering::evaluate).toList();
        Map<String, Object> keywordValues = new LinkedHashMap<>();
        keywords.forEach((name, value) -> keywordValues.put(name, rendering.evaluate(value)));
        return new Arguments(rendering.budget(), values, moreValues, keywordValues);
    }
}
