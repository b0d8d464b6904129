package io.layerskip.flink;

import io.layerskip.engine.GenerationParameters;
import io.layerskip.engine.GenerationRequest;
import java.util.Optional;
import java.util.OptionalLong;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * What a checkpoint keeps of a request in flight.
 *
 * @param request in its {@link CheckpointedForm}, once it was written
 * @param timestamp the event time of its stream record, in ms since 1970, if it has one
 * @param generation how far it had come, if that is worth keeping
 */
record SavedRequest(
        GenerationRequest request, OptionalLong timestamp, Optional<SavedGeneration> generation) {

    /** Stands in for one that is routed to another subtask, and takes no memory. */
    static final SavedRequest ELSEWHERE =
            new SavedRequest(
                    new GenerationRequest("", "", GenerationParameters.DEFAULTS),
                    OptionalLong.empty(),
                    Optional.empty());

    static SavedRequest of(
            StreamRecord<GenerationRequest> record, Optional<SavedGeneration> generation) {
        return new SavedRequest(
                record.getValue(),
                record.hasTimestamp()
                        ? OptionalLong.of(record.getTimestamp())
                        : OptionalLong.empty(),
                generation);
    }

    SavedRequest in(CheckpointedForm form) {
        return new SavedRequest(form.toCheckpoint(request), timestamp, generation);
    }

    /** The stream record that brings a request again. */
    StreamRecord<GenerationRequest> record(GenerationRequest whole) {
        StreamRecord<GenerationRequest> record = new StreamRecord<>(whole);
        timestamp.ifPresent(record::setTimestamp);
        return record;
    }
}
