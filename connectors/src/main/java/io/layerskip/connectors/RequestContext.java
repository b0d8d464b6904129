package io.layerskip.connectors;

import io.layerskip.engine.GenerationRequest;
import io.layerskip.engine.GenerationResult;
import io.layerskip.flink.CborCodec;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Optional;

/**
 * What a request leaves for its completion while it is with the engine: the attachment of a {@link
 * io.layerskip.engine.GenerationRequest}, as CBOR.
 *
 * @param metadata the request's {@code metadata} object, as JSON
 * @param source the Kafka record that it came in; empty for a line of a file
 * @param chat whether it had messages and not a prompt
 */
record RequestContext(Optional<String> metadata, Optional<SourceRecord> source, boolean chat) {

    private static final CborCodec<RequestContext> CODEC = CborCodec.of(RequestContext.class);

    /** The context that {@link #toAttachment} put into the request of this result. */
    static RequestContext of(GenerationResult result) {
        return decode(result.id(), result.attachment());
    }

    /** The context that {@link #toAttachment} put into this request. */
    static RequestContext of(GenerationRequest request) {
        return decode(request.id(), request.attachment());
    }

    private static RequestContext decode(String id, byte[] attachment) {
        try {
            return CODEC.decode(attachment);
        } catch (IOException e) {
            throw new UncheckedIOException(
                    "request " + id + ": its attachment is no request context", e);
        }
    }

    /**
     * The Kafka record that the request of this id came in.
     *
     * @throws IllegalArgumentException if it came in none
     */
    SourceRecord requireSource(String id) {
        return source.orElseThrow(
                () -> new IllegalArgumentException("request " + id + " has no source record"));
    }

    byte[] toAttachment() {
        try {
            return CODEC.encode(this);
        } catch (IOException e) {
            throw new UncheckedIOException("request context cannot be written", e);
        }
    }
}
