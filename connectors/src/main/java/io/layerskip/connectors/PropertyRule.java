package io.layerskip.connectors;

import java.util.function.Predicate;

/**
 * What a property that passes through to a Kafka client may be.
 *
 * @param property in Kafka's name
 * @param isAllowed whether it may have this value
 * @param allowed what it may be, in words
 */
record PropertyRule(String property, Predicate<String> isAllowed, String allowed) {

    static PropertyRule never(String property, String instead) {
        return new PropertyRule(property, value -> false, "no value; " + instead);
    }

    static PropertyRule between(String property, long least, long most, String allowed) {
        return new PropertyRule(property, value -> isBetween(value, least, most), allowed);
    }

    private static boolean isBetween(String value, long least, long most) {
        try {
            long number = Long.parseLong(value);
            return number >= least && number <= most;
        } catch (NumberFormatException e) {
            return false;
        }
    }
}
