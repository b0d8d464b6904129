package io.layerskip.cli;

import io.layerskip.connectors.CompletionRequestFormat;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.Optional;

/** Reads lines as bytes, so that whoever decodes them sees bytes that are no UTF-8. */
final class LineReader {

    private final InputStream in;
    private final int maxBytes;

    /** Reads requests: one byte more than is let in, so that one that is too long is seen to be. */
    static LineReader ofRequests(InputStream in) {
        return new LineReader(in, CompletionRequestFormat.DEFAULT_MAX_VALUE_BYTES + 1);
    }

    /**
     * @param in buffered; the caller closes it
     * @param maxBytes so much of a line is kept, the rest skipped
     */
    LineReader(InputStream in, int maxBytes) {
        this.in = in;
        this.maxBytes = maxBytes;
    }

    /** The next line without its line feed; empty at the end. */
    Optional<byte[]> next() throws IOException {
        int octet = in.read();
        if (octet < 0) {
            return Optional.empty();
        }
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        for (; octet >= 0 && octet != '\n'; octet = in.read()) {
            if (line.size() < maxBytes) {
                line.write(octet);
            }
        }
        return Optional.of(line.toByteArray());
    }
}
