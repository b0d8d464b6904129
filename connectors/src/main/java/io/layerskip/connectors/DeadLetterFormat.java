package io.layerskip.connectors;

import io.layerskip.engine.GenerationFailure;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.flink.annotation.PublicEvolving;

/**
 * Dead letters: records that have no completion, as they came, with headers that say why.
 *
 * <table>
 * <caption>Headers, UTF-8 text, after the record's own</caption>
 * <tr><th>{@value #ERROR_CLASS}</th><td>what sort of error: a name of {@link
 *   InvalidRequestException.ErrorClass} or {@link io.layerskip.engine.GenerationFailure.Kind}, or
 *   {@value #COMPLETION_TOO_LARGE} or {@value #UNUSABLE_COMPLETION}</td></tr>
 * <tr><th>{@value #ERROR_MESSAGE}</th><td>what was found and what is allowed</td></tr>
 * <tr><th>{@value #SOURCE_TOPIC}, {@value #SOURCE_PARTITION}, {@value #SOURCE_OFFSET}</th>
 *   <td>where the record stands</td></tr>
 * <tr><th>{@value #SOURCE_TIMESTAMP}</th><td>the record's timestamp in ms since 1970, if it has
 *   one</td></tr>
 * <tr><th>{@value #PARTIAL_TEXT}</th><td>what was written before the failure, if anything</td></tr>
 * <tr><th>{@value #OMITTED_VALUE}, {@value #OMITTED_KEY}</th><td>size in bytes of what was left
 *   out</td></tr>
 * <tr><th>{@value #OMITTED_HEADERS}</th><td>number of the record's own headers, left out</td></tr>
 * </table>
 *
 * <p>A dead letter that is fed in again as it stands carries such headers already; the last one of
 * a name counts. {@link DeadLetterReplay} feeds in the record that it was, with one header of its
 * own, {@value #TRIES}, which counts how often that was done: like any header of a record it goes
 * on to the completion or the next dead letter.
 *
 * <p>Something is left out only where Kafka would refuse the whole, which would fail the job, and
 * fail it again after each restart: first the value, then the headers and the partial text, then
 * the key. The original can be fetched from where the headers say it stands.
 */
@PublicEvolving
public final class DeadLetterFormat implements Serializable {

    public static final String ERROR_CLASS = "layerskip.error.class";
    public static final String ERROR_MESSAGE = "layerskip.error.message";
    public static final String SOURCE_TOPIC = "layerskip.source.topic";
    public static final String SOURCE_PARTITION = "layerskip.source.partition";
    public static final String SOURCE_OFFSET = "layerskip.source.offset";
    public static final String SOURCE_TIMESTAMP = "layerskip.source.timestamp";
    public static final String PARTIAL_TEXT = "layerskip.partial-text";
    public static final String OMITTED_VALUE = "layerskip.omitted.value";
    public static final String OMITTED_HEADERS = "layerskip.omitted.headers";
    public static final String OMITTED_KEY = "layerskip.omitted.key";

    /** The header of a record that was put back: how often, in digits. */
    public static final String TRIES = "layerskip.tries";

    /** The error class of a completion that would be larger than the topic takes. */
    public static final String COMPLETION_TOO_LARGE = "COMPLETION_TOO_LARGE";

    /** The error class of a completion that is not what the record is to hold, as no JSON is. */
    public static final String UNUSABLE_COMPLETION = "UNUSABLE_COMPLETION";

    /** Where so many bytes are taken, the last resort always fits: the reasons and nothing else. */
    public static final int MIN_RECORD_BYTES = 8 * 1024;

    private static final long serialVersionUID = 1;

    private static final int MAX_MESSAGE_CHARS = 1000;

    private final String topic;
    private final int maxRecordBytes;

    /**
     * @param topic of the dead letters
     * @param maxRecordBytes the largest record batch that the topic takes, in bytes; at least
     *     {@value #MIN_RECORD_BYTES}
     */
    public DeadLetterFormat(String topic, int maxRecordBytes) {
        this.topic = topic;
        this.maxRecordBytes = maxRecordBytes;
    }

    /** All error classes, in an order for people. */
    public static List<String> errorClasses() {
        return Stream.of(
                        Stream.of(InvalidRequestException.ErrorClass.values()).map(Enum::name),
                        Stream.of(GenerationFailure.Kind.values()).map(Enum::name),
                        Stream.of(COMPLETION_TOO_LARGE, UNUSABLE_COMPLETION))
                .flatMap(names -> names)
                .distinct()
                .toList();
    }

    OutgoingRecord format(SourceRecord source, String errorClass, String message) {
        return format(source, errorClass, message, "");
    }

    OutgoingRecord format(
            SourceRecord source, String errorClass, String message, String partialText) {
        List<RecordHeader> why = new ArrayList<>();
        why.add(RecordHeader.ofText(ERROR_CLASS, errorClass));
        why.add(RecordHeader.ofText(ERROR_MESSAGE, shortened(message)));
        why.add(RecordHeader.ofText(SOURCE_TOPIC, source.topic()));
        why.add(RecordHeader.ofText(SOURCE_PARTITION, Integer.toString(source.partition())));
        why.add(RecordHeader.ofText(SOURCE_OFFSET, Long.toString(source.offset())));

        source.time()
                .map(time -> Long.toString(time.toEpochMilli()))
                .ifPresent(ms -> why.add(RecordHeader.ofText(SOURCE_TIMESTAMP, ms)));

        List<RecordHeader> headers = new ArrayList<>(source.headers());
        headers.addAll(why);
        if (!partialText.isEmpty()) {
            headers.add(RecordHeader.ofText(PARTIAL_TEXT, partialText));
        }
        OutgoingRecord whole = new OutgoingRecord(topic, source.key(), source.value(), headers);
        return fits(whole) ? whole : reduced(source, why, headers);
    }

    private OutgoingRecord reduced(
            SourceRecord source, List<RecordHeader> why, List<RecordHeader> headers) {
        List<RecordHeader> omitted = new ArrayList<>();
        source.value().ifPresent(value -> omitted.add(size(OMITTED_VALUE, value.length)));
        OutgoingRecord withoutValue = record(source.key(), headers, omitted);
        if (fits(withoutValue)) {
            return withoutValue;
        }
        omitted.add(size(OMITTED_HEADERS, source.headers().size()));
        OutgoingRecord withoutHeaders = record(source.key(), why, omitted);
        if (fits(withoutHeaders)) {
            return withoutHeaders;
        }
        source.key().ifPresent(key -> omitted.add(size(OMITTED_KEY, key.length)));
        return record(Optional.empty(), why, omitted);
    }

    private OutgoingRecord record(
            Optional<byte[]> key, List<RecordHeader> headers, List<RecordHeader> omitted) {
        List<RecordHeader> all = new ArrayList<>(headers);
        all.addAll(omitted);
        return new OutgoingRecord(topic, key, Optional.empty(), all);
    }

    private boolean fits(OutgoingRecord record) {
        return record.maxBatchBytes() <= maxRecordBytes;
    }

    private static RecordHeader size(String header, int size) {
        return RecordHeader.ofText(header, Integer.toString(size));
    }

    private static String shortened(String message) {
        return message.length() <= MAX_MESSAGE_CHARS
                ? message
                : message.substring(0, MAX_MESSAGE_CHARS) + "...";
    }
}
