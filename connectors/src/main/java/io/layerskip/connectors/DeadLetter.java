package io.layerskip.connectors;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.regex.Pattern;

/**
 * A dead letter taken apart: the record that it was, and what {@link DeadLetterFormat} says of it.
 *
 * @param letter as it stands in the topic of the dead letters
 * @param reason its error class
 * @param sourceTopic where the record stood
 * @param sourcePartition of that topic
 * @param sourceOffset in that partition
 * @param sourceTimestamp the record's timestamp in ms since 1970; empty if it had none, or the
 *     letter does not say
 * @param tries how often the record has been put back
 * @param headers the record's own headers, without the number of tries
 * @param omission what of the record is missing; empty if it is whole
 */
record DeadLetter(
        SourceRecord letter,
        String reason,
        String sourceTopic,
        int sourcePartition,
        long sourceOffset,
        OptionalLong sourceTimestamp,
        int tries,
        List<RecordHeader> headers,
        Optional<String> omission) {

    private static final Pattern REASON = Pattern.compile("[A-Z][A-Z0-9_]{0,63}");
    private static final Pattern TOPIC = Pattern.compile("[a-zA-Z0-9._-]{1,249}");
    private static final Pattern NUMBER = Pattern.compile("[0-9]{1,18}");
    private static final Pattern SMALL_NUMBER = Pattern.compile("[0-9]{1,9}");

    /** What may be left out of a record. */
    private static final Map<String, String> OMISSIONS =
            Map.of(
                    DeadLetterFormat.OMITTED_VALUE,
                    "its value of %s bytes",
                    DeadLetterFormat.OMITTED_HEADERS,
                    "its %s headers",
                    DeadLetterFormat.OMITTED_KEY,
                    "its key of %s bytes");

    /** Takes a record apart; empty if it is no dead letter. */
    static Optional<DeadLetter> read(SourceRecord letter) {
        List<RecordHeader> all = letter.headers();
        // The reasons follow the record's own headers, among which there may be older reasons.
        int start = lastIndex(DeadLetterFormat.ERROR_CLASS, all);
        if (start < 0) {
            return Optional.empty();
        }
        List<RecordHeader> why = all.subList(start, all.size());
        Optional<String> reason = text(DeadLetterFormat.ERROR_CLASS, REASON, why);
        Optional<String> topic = text(DeadLetterFormat.SOURCE_TOPIC, TOPIC, why);
        Optional<String> partition = text(DeadLetterFormat.SOURCE_PARTITION, SMALL_NUMBER, why);
        Optional<String> offset = text(DeadLetterFormat.SOURCE_OFFSET, NUMBER, why);
        if (reason.isEmpty() || topic.isEmpty() || partition.isEmpty() || offset.isEmpty()) {
            return Optional.empty();
        }
        List<RecordHeader> own = all.subList(0, start);
        return Optional.of(
                new DeadLetter(
                        letter,
                        reason.get(),
                        topic.get(),
                        Integer.parseInt(partition.get()),
                        Long.parseLong(offset.get()),
                        text(DeadLetterFormat.SOURCE_TIMESTAMP, NUMBER, why).stream()
                                .mapToLong(Long::parseLong)
                                .findAny(),
                        text(DeadLetterFormat.TRIES, SMALL_NUMBER, own)
                                .map(Integer::parseInt)
                                .orElse(0),
                        own.stream()
                                .filter(header -> !header.key().equals(DeadLetterFormat.TRIES))
                                .toList(),
                        omission(why)));
    }

    /** Where the record stood: topic-partition-offset. */
    String sourcePosition() {
        return sourceTopic + "-" + sourcePartition + "-" + sourceOffset;
    }

    private static Optional<String> omission(List<RecordHeader> why) {
        return why.stream()
                .filter(header -> OMISSIONS.containsKey(header.key()))
                .findFirst()
                .map(
                        header ->
                                OMISSIONS
                                        .get(header.key())
                                        .formatted(
                                                text(header.key(), NUMBER, why).orElse("unknown")));
    }

    private static Optional<String> text(String key, Pattern pattern, List<RecordHeader> headers) {
        int index = lastIndex(key, headers);
        return index < 0
                ? Optional.empty()
                : headers.get(index)
                        .value()
                        .map(bytes -> new String(bytes, StandardCharsets.UTF_8))
                        .filter(text -> pattern.matcher(text).matches());
    }

    private static int lastIndex(String key, List<RecordHeader> headers) {
        int index = headers.size() - 1;
        while (index >= 0 && !headers.get(index).key().equals(key)) {
            index--;
        }
        return index;
    }
}
