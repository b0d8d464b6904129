package io.layerskip.connectors;

import io.layerskip.engine.GenerationFailure;
import io.layerskip.engine.GenerationResult;
import io.layerskip.flink.CborTypeInformation;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.typeutils.ResultTypeQueryable;

/**
 * Makes records of results: a completion with key and headers of the request's record, or a dead
 * letter if the request failed or its completion is larger than the topic takes.
 *
 * <p>Metrics: the counter {@code deadLetters} for each reason.
 */
@PublicEvolving
public final class FormatResults extends RichMapFunction<GenerationResult, OutgoingRecord>
        implements ResultTypeQueryable<OutgoingRecord> {

    private static final long serialVersionUID = 1;

    private final String topic;
    private final int maxRecordBytes;
    private final CompletionFormat completionFormat;
    private final DeadLetterFormat deadLetterFormat;
    private transient DeadLetterMetrics deadLetters;

    /**
     * @param topic of the completions
     * @param maxRecordBytes the largest record batch that the topic takes, in bytes
     */
    public FormatResults(
            String topic,
            int maxRecordBytes,
            CompletionFormat completionFormat,
            DeadLetterFormat deadLetterFormat) {
        this.topic = topic;
        this.maxRecordBytes = maxRecordBytes;
        this.completionFormat = completionFormat;
        this.deadLetterFormat = deadLetterFormat;
    }

    @Override
    public void open(OpenContext context) {
        deadLetters =
                new DeadLetterMetrics(
                        getRuntimeContext().getMetricGroup(),
                        Stream.concat(
                                        Stream.of(GenerationFailure.Kind.values()).map(Enum::name),
                                        Stream.of(DeadLetterFormat.COMPLETION_TOO_LARGE))
                                .toList());
    }

    /**
     * @throws IllegalArgumentException if the request of this result came from no Kafka record
     */
    @Override
    public OutgoingRecord map(GenerationResult result) {
        RequestContext context = RequestContext.of(result);
        SourceRecord source = context.requireSource(result.id());
        if (result.failure().isPresent()) {
            GenerationFailure failure = result.failure().get();
            return deadLetter(source, failure.kind().name(), failure.message(), result.text());
        }
        byte[] value = completionFormat.format(result, context);
        OutgoingRecord completion =
                new OutgoingRecord(topic, source.key(), Optional.of(value), source.headers());
        if (completion.maxBatchBytes() > maxRecordBytes) {
            return deadLetter(
                    source,
                    DeadLetterFormat.COMPLETION_TOO_LARGE,
                    "the completion with key and headers takes %d bytes; allowed: at most %d"
                            .formatted(completion.maxBatchBytes(), maxRecordBytes),
                    "");
        }
        return completion;
    }

    private OutgoingRecord deadLetter(
            SourceRecord source, String reason, String message, String partialText) {
        deadLetters.count(reason);
        return deadLetterFormat.format(source, reason, message, partialText);
    }

    @Override
    public TypeInformation<OutgoingRecord> getProducedType() {
        return CborTypeInformation.forRecord(OutgoingRecord.class);
    }
}
