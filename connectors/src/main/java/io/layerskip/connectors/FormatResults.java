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
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;

/**
 * Makes records of results: a completion with key and headers of the request's record, or a dead
 * letter if the request failed, or its completion is larger than the topic takes or not what the
 * record is to hold.
 *
 * <p>Metrics: the counter {@code deadLetters} for each reason. {@link RunTotals} are in
 * accumulators.
 */
@PublicEvolving
public final class FormatResults extends RichMapFunction<GenerationResult, OutgoingRecord>
        implements CheckpointedFunction, ResultTypeQueryable<OutgoingRecord> {

    private static final long serialVersionUID = 1;

    private final String topic;
    private final int maxRecordBytes;
    private final ResultFormat format;
    private final DeadLetterFormat deadLetterFormat;
    private transient DeadLetterMetrics deadLetters;
    private transient RunTotalsCounter totals;

    /**
     * @param topic of the completions
     * @param maxRecordBytes the largest record batch that the topic takes, in bytes
     */
    FormatResults(
            String topic,
            int maxRecordBytes,
            ResultFormat format,
            DeadLetterFormat deadLetterFormat) {
        this.topic = topic;
        this.maxRecordBytes = maxRecordBytes;
        this.format = format;
        this.deadLetterFormat = deadLetterFormat;
    }

    @Override
    public void initializeState(FunctionInitializationContext context) throws Exception {
        totals = RunTotalsCounter.restore(context.getOperatorStateStore());
    }

    @Override
    public void snapshotState(FunctionSnapshotContext context) throws Exception {
        totals.save();
    }

    @Override
    public void open(OpenContext context) {
        totals.open(getRuntimeContext(), "results");
        deadLetters =
                new DeadLetterMetrics(
                        getRuntimeContext().getMetricGroup(),
                        Stream.concat(
                                        Stream.of(GenerationFailure.Kind.values()).map(Enum::name),
                                        Stream.of(
                                                DeadLetterFormat.COMPLETION_TOO_LARGE,
                                                DeadLetterFormat.UNUSABLE_COMPLETION))
                                .toList());
    }

    /**
     * @throws IllegalArgumentException if the request of this result came from no Kafka record
     */
    @Override
    public OutgoingRecord map(GenerationResult result) {
        OutgoingRecord record = format(result);
        totals.add(RunTotals.of(result, !record.topic().equals(topic)));
        return record;
    }

    private OutgoingRecord format(GenerationResult result) {
        RequestContext context = RequestContext.of(result);
        SourceRecord source = context.requireSource(result.id());
        if (result.failure().isPresent()) {
            GenerationFailure failure = result.failure().get();
            return deadLetter(source, failure.kind().name(), failure.message(), result.text());
        }
        byte[] value;
        try {
            value = format.format(result, context);
        } catch (UnusableCompletionException e) {
            return deadLetter(
                    source, DeadLetterFormat.UNUSABLE_COMPLETION, e.getMessage(), result.text());
        }
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
