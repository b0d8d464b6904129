package io.layerskip.connectors;

import io.layerskip.engine.GenerationResult;
import io.layerskip.flink.CborCodec;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Optional;

/**
 * What a request leaves behind for its completion while it is with the engine: the attachment of a
 * {@link io.layerskip.engine.GenerationRequest}, as CBOR.
 *
 * @param metadata the request's {@code metadata} object, as JSON
 * @param source the Kafka record that it came in; empty for a line of a file
 */
record RequestContext(Optional<String> metadata, Optional<SourceRecord> source) {

    private static final CborCodec<RequestContext> CODEC = CborCodec.of(RequestContext.class);

    /** The context that {@link #toAttachment} put into the request of this result. */
    static RequestContext of(GenerationResult result) {
        try {
            return CODEC.decode(result.attachment());
        } catch (IOException e) {
            throw new UncheckedIOException(
                    "request " + result.id() + ": its attachment is no request context", e);
        }
    }

    byte[] toAttachment() {
        try {
            return CODEC.encode(this);
        } catch (IOException e) {
            throw new UncheckedIOException("request context cannot be written", e);
        }
    }
}
