package io.layerskip.connectors;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;

/**
 * Which dead letters of a partition have been put back.
 *
 * <p>A consumer group's offset alone could not say: letters of one reason are put back, and those
 * of another between them are not. So the offset's metadata says it, as ranges of offsets by where
 * the record stood, reason and tries. That is short, as a run takes all letters of a kind in a
 * stretch of time:
 *
 * <pre>{@code
 * layerskip-replay {"since":1795392642000,"before":0,"letters":{"prompts":{"TIMEOUT":{"0":[17,4711,5000,5000]}}}}
 * }</pre>
 *
 * <p>Within a range all letters of the kind have been put back, those of other kinds maybe not. An
 * offset without such metadata, as Kafka's tools set it, says what offsets mostly say: what is
 * before it is done.
 *
 * <p>Brokers forget a group that has been idle for long. So memory begins at a time: letters that
 * are older than that may have been put back by a run of which nothing is known any more.
 */
final class ReplayedLetters {

    /** What a broker takes unless it is told otherwise. */
    static final int MAX_METADATA_BYTES = 4096;

    private static final String MARK = "layerskip-replay ";
    private static final JsonMapper JSON = new JsonMapper();

    private final long rememberedSince;
    private final long before;
    private final Map<Kind, OffsetRanges> ranges = new TreeMap<>();

    /** The last letter of each kind that was passed, where that one is put back. */
    private final Map<Kind, Long> latest = new HashMap<>();

    /** Letters that differ in time only. */
    record Kind(String topic, String reason, int tries) implements Comparable<Kind> {

        static Kind of(DeadLetter letter) {
            return new Kind(letter.sourceTopic(), letter.reason(), letter.tries());
        }

        @Override
        public int compareTo(Kind other) {
            int byTopic = topic.compareTo(other.topic);
            int byReason = byTopic != 0 ? byTopic : reason.compareTo(other.reason);
            return byReason != 0 ? byReason : Integer.compare(tries, other.tries);
        }
    }

    private ReplayedLetters(long rememberedSince, long before) {
        this.rememberedSince = rememberedSince;
        this.before = before;
    }

    /**
     * None is known to have been put back.
     *
     * @param rememberedSince from when on that would be known, in ms since 1970
     */
    static ReplayedLetters none(long rememberedSince) {
        return new ReplayedLetters(rememberedSince, 0);
    }

    /**
     * Reads what a group has committed.
     *
     * @throws IllegalArgumentException if the metadata is damaged
     */
    static ReplayedLetters of(OffsetAndMetadata committed) {
        if (!committed.metadata().startsWith(MARK)) {
            return new ReplayedLetters(0, committed.offset());
        }
        try {
            JsonNode root = JSON.readTree(committed.metadata().substring(MARK.length()));
            ReplayedLetters replayed =
                    new ReplayedLetters(root.path("since").asLong(), root.path("before").asLong());
            for (Map.Entry<String, JsonNode> topic : root.path("letters").properties()) {
                for (Map.Entry<String, JsonNode> reason : topic.getValue().properties()) {
                    for (Map.Entry<String, JsonNode> tries : reason.getValue().properties()) {
                        int count = Integer.parseInt(tries.getKey());
                        Kind kind = new Kind(topic.getKey(), reason.getKey(), count);
                        replayed.add(kind, tries.getValue());
                    }
                }
            }
            return replayed;
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException(committed.metadata(), e);
        }
    }

    private void add(Kind kind, JsonNode bounds) {
        for (int i = 0; i + 1 < bounds.size(); i += 2) {
            rangesOf(kind).add(bounds.get(i).asLong(), bounds.get(i + 1).asLong());
        }
    }

    private OffsetRanges rangesOf(Kind kind) {
        return ranges.computeIfAbsent(kind, unused -> new OffsetRanges());
    }

    /** Letters that are older than this may have been put back without being known here. */
    long rememberedSince() {
        return rememberedSince;
    }

    /** Letters before this offset need not be looked at. */
    long before() {
        return before;
    }

    boolean contains(Kind kind, long offset) {
        OffsetRanges known = ranges.get(kind);
        return offset < before || known != null && known.contains(offset);
    }

    /**
     * Notes what becomes of a letter. All letters have to come by, in the order of their offsets.
     *
     * @param putBack whether it is put back, now or earlier
     */
    void pass(Kind kind, long offset, boolean putBack) {
        if (!putBack) {
            latest.remove(kind);
            return;
        }
        // Between the two there is no letter of the kind, so that they are one range.
        long first = latest.getOrDefault(kind, offset);
        rangesOf(kind).add(first, offset);
        latest.put(kind, offset);
    }

    /** Forgets letters that the topic does not have any more. */
    void forgetBefore(long offset) {
        ranges.values().forEach(known -> known.forgetBefore(offset));
        ranges.values().removeIf(OffsetRanges::isEmpty);
    }

    /**
     * What the group is to commit.
     *
     * @param position up to where letters were looked at, which is what tools show
     */
    OffsetAndMetadata toCommit(long position) {
        ObjectNode root =
                JSON.createObjectNode().put("since", rememberedSince).put("before", before);
        ObjectNode letters = root.putObject("letters");
        ranges.forEach(
                (kind, known) -> {
                    ArrayNode bounds =
                            letters.withObjectProperty(kind.topic())
                                    .withObjectProperty(kind.reason())
                                    .putArray(Integer.toString(kind.tries()));
                    known.bounds().forEach(bounds::add);
                });
        return new OffsetAndMetadata(position, MARK + root);
    }
}
