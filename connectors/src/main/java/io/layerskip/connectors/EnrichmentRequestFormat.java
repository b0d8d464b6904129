package io.layerskip.connectors;

import com.fasterxml.jackson.core.JsonProcessingException;
import io.layerskip.connectors.InvalidRequestException.ErrorClass;
import io.layerskip.engine.GenerationParameters;
import io.layerskip.engine.GenerationRequest;
import java.time.Instant;
import java.util.Optional;
import org.apache.flink.annotation.PublicEvolving;

/**
 * Requests of records that are to be enriched: JSON objects in UTF-8, of which a {@link
 * PromptTemplate} makes the prompt, or the user's message of a chat. A record's request has its
 * position for an id.
 *
 * <p>A record that has no place for what is to be written into it is refused before anything is
 * generated. Thread-safe.
 */
@PublicEvolving
public final class EnrichmentRequestFormat implements RequestFormat {

    private static final long serialVersionUID = 1;

    private final EnrichmentConfiguration configuration;
    private final PromptTemplate template;
    private final int maxValueBytes;

    /**
     * @param maxValueBytes size of the largest value that is let in, at least 1
     */
    public EnrichmentRequestFormat(EnrichmentConfiguration configuration, int maxValueBytes) {
        this.configuration = configuration;
        this.template = configuration.promptTemplate();
        this.maxValueBytes = maxValueBytes;
    }

    @Override
    public GenerationRequest parse(SourceRecord source) throws InvalidRequestException {
        JsonText record = read(RecordText.of(source, maxValueBytes));
        String prompt = template.render(record);
        byte[] attachment =
                new RequestContext(Optional.empty(), Optional.of(source), false).toAttachment();
        GenerationParameters parameters = configuration.parameters();
        return configuration
                .chat(prompt, source.time().orElseGet(Instant::now))
                .map(
                        chat ->
                                GenerationRequest.ofChat(
                                        source.position(), chat, parameters, attachment))
                .orElseGet(
                        () ->
                                new GenerationRequest(
                                        source.position(), prompt, parameters, attachment));
    }

    private JsonText read(String text) throws InvalidRequestException {
        JsonText record;
        try {
            record = JsonText.parse(text);
        } catch (JsonProcessingException e) {
            throw InvalidRequestException.notJson(e);
        }
        if (!record.isObject()) {
            throw new InvalidRequestException(
                    ErrorClass.INVALID_RECORD,
                    "the record is %s; allowed: a JSON object"
                            .formatted(RequestFields.excerpt(record.toString())));
        }
        try {
            for (RecordPath path : configuration.writtenFields()) {
                record.checkPlace(path);
            }
        } catch (JsonText.NoObjectException e) {
            throw new InvalidRequestException(
                    ErrorClass.INVALID_RECORD, "no place to write to: " + e.getMessage(), e);
        }
        return record;
    }
}
