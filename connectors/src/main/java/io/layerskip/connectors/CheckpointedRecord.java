package io.layerskip.connectors;

import io.layerskip.engine.GenerationParameters;
import io.layerskip.engine.GenerationRequest;
import io.layerskip.flink.CheckpointedForm;
import io.layerskip.flink.UnreadableRequestException;
import java.util.Optional;

/**
 * Keeps the Kafka record of a request and nothing that was read out of it, which is up to as much
 * again: the prompt, the metadata. A request without a record is kept as it is.
 */
final class CheckpointedRecord implements CheckpointedForm {

    private static final long serialVersionUID = 1;

    private final RequestFormat format;

    /**
     * @param format that reads the requests
     */
    CheckpointedRecord(RequestFormat format) {
        this.format = format;
    }

    @Override
    public GenerationRequest toCheckpoint(GenerationRequest request) {
        Optional<SourceRecord> source = RequestContext.of(request).source();
        return source.isEmpty()
                ? request
                : new GenerationRequest(
                        request.id(),
                        "",
                        GenerationParameters.DEFAULTS,
                        new RequestContext(Optional.empty(), source, false).toAttachment());
    }

    @Override
    public GenerationRequest fromCheckpoint(GenerationRequest kept)
            throws UnreadableRequestException {
        if (!kept.prompt().isEmpty() || kept.chat().isPresent()) {
            return kept;
        }
        try {
            return format.parse(RequestContext.of(kept).requireSource(kept.id()));
        } catch (InvalidRequestException e) {
            throw new UnreadableRequestException(e.getMessage(), e);
        }
    }
}
