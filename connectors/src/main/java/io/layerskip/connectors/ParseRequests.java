package io.layerskip.connectors;

import io.layerskip.engine.GenerationRequest;
import io.layerskip.flink.CborTypeInformation;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.typeutils.ResultTypeQueryable;
import org.apache.flink.metrics.Counter;
import org.apache.flink.streaming.api.functions.ProcessFunction;
import org.apache.flink.util.Collector;
import org.apache.flink.util.OutputTag;

/**
 * Makes requests of records; those that are none leave as dead letters, through the side output
 * {@link #DEAD_LETTERS}.
 *
 * <p>Metric: the counter {@code invalidRequests}.
 */
@PublicEvolving
public final class ParseRequests extends ProcessFunction<SourceRecord, GenerationRequest>
        implements ResultTypeQueryable<GenerationRequest> {

    /** The side output of the records that are no requests. */
    public static final OutputTag<OutgoingRecord> DEAD_LETTERS =
            new OutputTag<>("dead-letters", CborTypeInformation.forRecord(OutgoingRecord.class));

    private static final long serialVersionUID = 1;

    private final CompletionRequestFormat requestFormat;
    private final DeadLetterFormat deadLetterFormat;
    private transient Counter invalidRequests;

    public ParseRequests(CompletionRequestFormat requestFormat, DeadLetterFormat deadLetterFormat) {
        this.requestFormat = requestFormat;
        this.deadLetterFormat = deadLetterFormat;
    }

    @Override
    public void open(OpenContext context) {
        invalidRequests = getRuntimeContext().getMetricGroup().counter("invalidRequests");
    }

    @Override
    public void processElement(
            SourceRecord source, Context context, Collector<GenerationRequest> requests) {
        GenerationRequest request;
        try {
            request = requestFormat.parse(source);
        } catch (InvalidRequestException e) {
            invalidRequests.inc();
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
