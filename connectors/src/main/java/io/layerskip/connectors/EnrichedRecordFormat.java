package io.layerskip.connectors;

import com.fasterxml.jackson.core.JsonProcessingException;
import io.layerskip.engine.GenerationResult;
import java.nio.charset.StandardCharsets;

/**
 * Records with their completion in a field, and all else as it came: the order of fields, the
 * digits of numbers, white space. Only a byte order mark is taken off.
 */
final class EnrichedRecordFormat implements ResultFormat {

    private static final long serialVersionUID = 1;

    private final EnrichmentConfiguration configuration;

    EnrichedRecordFormat(EnrichmentConfiguration configuration) {
        this.configuration = configuration;
    }

    @Override
    public byte[] format(GenerationResult result, RequestContext context)
            throws UnusableCompletionException {
        String output =
                switch (configuration.outputFormat()) {
                    case TEXT -> JsonText.quoted(result.text());
                    case JSON -> requireJson(result.text());
                };
        try {
            // It was let in before, so size and form are right.
            String value = RecordText.of(context.requireSource(result.id()), Integer.MAX_VALUE);
            JsonText record = JsonText.parse(value).with(configuration.outputField(), output);
            if (configuration.usageField().isPresent()) {
                record =
                        record.with(
                                configuration.usageField().get(),
                                CompletionFormat.usage(result.statistics()).toString());
            }
            if (configuration.confidenceField().isPresent()) {
                record =
                        record.with(
                                configuration.confidenceField().get(),
                                CompletionFormat.confidence(result.confidence().orElseThrow())
                                        .toString());
            }
            return record.toString().getBytes(StandardCharsets.UTF_8);
        } catch (InvalidRequestException | JsonProcessingException | JsonText.NoObjectException e) {
            throw new UnusableCompletionException(
                    "the completion cannot be written into the record: " + e.getMessage(), e);
        }
    }

    private static String requireJson(String text) throws UnusableCompletionException {
        try {
            return JsonText.parse(text).toString();
        } catch (JsonProcessingException e) {
            throw new UnusableCompletionException(
                    "the completion is no JSON: " + RequestFields.excerpt(e.getOriginalMessage()),
                    e);
        }
    }
}
