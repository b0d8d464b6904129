package io.layerskip.flink;

import io.layerskip.engine.GenerationRequest;
import java.io.Serializable;
import org.apache.flink.annotation.PublicEvolving;

/**
 * The form in which a checkpoint keeps a request in flight. One that can be read out of its
 * attachment needs no more than that, and so is kept once. Thread-safe.
 */
@PublicEvolving
public interface CheckpointedForm extends Serializable {

    /** Requests as they are. */
    CheckpointedForm WHOLE =
            new CheckpointedForm() {
                private static final long serialVersionUID = 1;

                @Override
                public GenerationRequest toCheckpoint(GenerationRequest request) {
                    return request;
                }

                @Override
                public GenerationRequest fromCheckpoint(GenerationRequest kept) {
                    return kept;
                }
            };

    /**
     * What is kept of a request: a request of the same id, that the stream would hand to the same
     * subtask. Called while a checkpoint is written, not on the task's thread.
     */
    GenerationRequest toCheckpoint(GenerationRequest request);

    /**
     * The request that was kept. Versions before this one kept requests as they are; they are given
     * to this method too, and returned.
     *
     * @throws UnreadableRequestException if what was kept is no request any more, for example as
     *     the job reads requests in another way now; it ends as a failure then
     */
    GenerationRequest fromCheckpoint(GenerationRequest kept) throws UnreadableRequestException;
}
