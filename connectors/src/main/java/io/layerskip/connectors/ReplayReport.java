package io.layerskip.connectors;

import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.flink.annotation.PublicEvolving;

/** What became of dead letters that were to be put back, or would become of them. */
@PublicEvolving
public final class ReplayReport {

    /** So many letters that cannot be put back are named; further ones are counted. */
    public static final int MAX_NAMED = 100;

    /** Stands for the reason of records that are no dead letters. */
    public static final String NO_REASON = "-";

    private final Map<String, ByReason> reasons = new TreeMap<>();
    private final List<String> obstacles = new ArrayList<>();
    private final Map<String, Long> otherTopics = new TreeMap<>();
    private long forgotten;

    /** The dead letters of one reason. */
    public static final class ByReason {
        private final SortedMap<Integer, Long> tries = new TreeMap<>();
        private long putBack;
        private long earlier;
        private long notChosen;
        private long left;
        private long oldest = Long.MAX_VALUE;
        private long newest = Long.MIN_VALUE;

        /** Put back by this run. */
        public long putBack() {
            return putBack;
        }

        /** Put back by an earlier run. */
        public long earlier() {
            return earlier;
        }

        /** Not asked for. */
        public long notChosen() {
            return notChosen;
        }

        /** Asked for, and left alone because they cannot be put back. */
        public long left() {
            return left;
        }

        /** Of those put back: how many had been put back how often before. */
        public Map<Integer, Long> tries() {
            return Collections.unmodifiableMap(tries);
        }

        /** When the oldest of those put back was written; empty if there are none. */
        public Optional<Instant> oldest() {
            return putBack == 0 ? Optional.empty() : Optional.of(Instant.ofEpochMilli(oldest));
        }

        /** When the newest of those put back was written; empty if there are none. */
        public Optional<Instant> newest() {
            return putBack == 0 ? Optional.empty() : Optional.of(Instant.ofEpochMilli(newest));
        }
    }

    private ByReason of(DeadLetter letter) {
        return of(letter.reason());
    }

    private ByReason of(String reason) {
        return reasons.computeIfAbsent(reason, unused -> new ByReason());
    }

    void putBack(DeadLetter letter) {
        ByReason count = of(letter);
        count.putBack++;
        count.tries.merge(letter.tries(), 1L, Long::sum);
        count.oldest = Math.min(count.oldest, letter.letter().timestamp());
        count.newest = Math.max(count.newest, letter.letter().timestamp());
    }

    void earlier(DeadLetter letter) {
        of(letter).earlier++;
    }

    void notChosen(DeadLetter letter) {
        of(letter).notChosen++;
    }

    void ofOtherTopic(DeadLetter letter) {
        otherTopics.merge(letter.sourceTopic(), 1L, Long::sum);
    }

    void forgotten(DeadLetter letter) {
        of(letter).left++;
        forgotten++;
    }

    void left(DeadLetter letter, String why) {
        leave(letter.reason(), letter.letter(), letter.reason() + ": " + why);
    }

    void noDeadLetter(SourceRecord record) {
        leave(NO_REASON, record, "no dead letter of this kind of job, as its headers say");
    }

    private void leave(String reason, SourceRecord record, String why) {
        of(reason).left++;
        if (obstacles.size() < MAX_NAMED) {
            obstacles.add(record.position() + ": " + why);
        }
    }

    /** The dead letters of each reason, of records that stood in the topics put back to. */
    public Map<String, ByReason> reasons() {
        return Collections.unmodifiableMap(reasons);
    }

    /** How many were put back. */
    public long putBack() {
        return reasons.values().stream().mapToLong(ByReason::putBack).sum();
    }

    /** How many were asked for and cannot be put back. */
    public long left() {
        return reasons.values().stream().mapToLong(ByReason::left).sum();
    }

    /** The first of those that cannot be put back: where each stands and why. */
    public List<String> obstacles() {
        return Collections.unmodifiableList(obstacles);
    }

    /** How many cannot be put back because an earlier run may have done it. */
    public long forgotten() {
        return forgotten;
    }

    /** How many dead letters are of records that stood in other topics, by topic. */
    public Map<String, Long> otherTopics() {
        return Collections.unmodifiableMap(otherTopics);
    }
}
