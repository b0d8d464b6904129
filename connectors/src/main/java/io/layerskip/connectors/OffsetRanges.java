package io.layerskip.connectors;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** A set of offsets, kept as ranges. */
final class OffsetRanges {

    /** The last offset of each range by its first. */
    private final TreeMap<Long, Long> ends = new TreeMap<>();

    /** Adds all offsets from the first to the last, both included. */
    void add(long first, long last) {
        long from = first;
        long to = last;
        Map.Entry<Long, Long> before = ends.floorEntry(first);
        if (before != null && before.getValue() >= first - 1) {
            from = before.getKey();
        }
        Iterator<Map.Entry<Long, Long>> touched =
                ends.subMap(from, true, last + 1, true).entrySet().iterator();
        while (touched.hasNext()) {
            to = Math.max(to, touched.next().getValue());
            touched.remove();
        }
        ends.put(from, to);
    }

    boolean contains(long offset) {
        Map.Entry<Long, Long> range = ends.floorEntry(offset);
        return range != null && range.getValue() >= offset;
    }

    /** Forgets the ranges that end before an offset. */
    void forgetBefore(long offset) {
        ends.values().removeIf(last -> last < offset);
    }

    boolean isEmpty() {
        return ends.isEmpty();
    }

    /** First and last offset of each range, in turn. */
    List<Long> bounds() {
        List<Long> bounds = new ArrayList<>();
        ends.forEach(
                (first, last) -> {
                    bounds.add(first);
                    bounds.add(last);
                });
        return bounds;
    }
}
