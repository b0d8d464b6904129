package io.layerskip.connectors;

import io.layerskip.engine.GenerationRequest;
import io.layerskip.flink.CborTypeInformation;
import io.layerskip.flink.CheckpointedForm;
import java.util.stream.Stream;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.typeutils.ResultTypeQueryable;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;
import org.apache.flink.streaming.api.functions.ProcessFunction;
import org.apache.flink.util.Collector;
import org.apache.flink.util.OutputTag;

/**
 * Makes requests of records; those that are none leave as dead letters, through the side output
 * {@link #DEAD_LETTERS}.
 *
 * <p>Metrics: the counter {@code invalidRequests}, and {@code deadLetters} for each reason. {@link
 * RunTotals} are in accumulators.
 */
@PublicEvolving
public final class ParseRequests extends ProcessFunction<SourceRecord, GenerationRequest>
        implements CheckpointedFunction, ResultTypeQueryable<GenerationRequest> {

    /** The side output of the records that are no requests. */
    public static final OutputTag<OutgoingRecord> DEAD_LETTERS =
            new OutputTag<>("dead-letters", CborTypeInformation.forRecord(OutgoingRecord.class));

    private static final long serialVersionUID = 1;

    private final RequestFormat requestFormat;
    private final DeadLetterFormat deadLetterFormat;
    private transient Counter invalidRequests;
    private transient DeadLetterMetrics deadLetters;
    private transient RunTotalsCounter totals;

    public ParseRequests(RequestFormat requestFormat, DeadLetterFormat deadLetterFormat) {
        this.requestFormat = requestFormat;
        this.deadLetterFormat = deadLetterFormat;
    }

    /**
     * The form in which checkpoints keep the requests that this makes: the record alone, of which
     * the request is made again.
     */
    public CheckpointedForm checkpointedForm() {
        return new CheckpointedRecord(requestFormat);
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
        totals.open(getRuntimeContext(), "requests");
        MetricGroup group = getRuntimeContext().getMetricGroup();
        invalidRequests = group.counter("invalidRequests");
        deadLetters =
                new DeadLetterMetrics(
                        group,
                        Stream.of(InvalidRequestException.ErrorClass.values())
                                .map(Enum::name)
                                .toList());
    }

    @Override
    public void processElement(
            SourceRecord source, Context context, Collector<GenerationRequest> requests) {
        GenerationRequest request;
        try {
            request = requestFormat.parse(source);
        } catch (InvalidRequestException e) {
            invalidRequests.inc();
            totals.add(RunTotals.DEAD_LETTER);
            deadLetters.count(e.errorClass().name());
            context.output(
                    DEAD_LETTERS,
                    deadLetterFormat.format(source, e.errorClass().name(), e.getMessage()));
            return;
        }
        requests.collect(request);
    }

    @Override
    public TypeInformation<GenerationRequest> getProducedType() {
        return CborTypeInformation.forRecord(GenerationRequest.class);
    }
}
