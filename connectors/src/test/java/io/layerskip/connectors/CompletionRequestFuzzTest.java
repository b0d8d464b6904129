package io.layerskip.connectors;

import com.code_intelligence.jazzer.junit.FuzzTest;
import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;

/** A record value of any bytes is a request or refused, with little memory. */
class CompletionRequestFuzzTest {

    private static final long MOST_BYTES = 1 << 20;
    private static final long MOST_BYTES_EACH = 256;
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    private static final CompletionRequestFormat FORMAT = new CompletionRequestFormat();

    @FuzzTest(maxExecutions = 10_000)
    void parsesOrRefuses(byte[] value) {
        fuzzerTestOneInput(value);
    }

    /** For runs of any length, from the command line. */
    public static void fuzzerTestOneInput(byte[] value) {
        long most = MOST_BYTES + MOST_BYTES_EACH * value.length;
        // A second time if need be: the first one may have loaded classes.
        if (allocated(value) > most && allocated(value) > most) {
            throw new IllegalStateException("more than " + most + " bytes for " + value.length);
        }
    }

    private static long allocated(byte[] value) {
        long before = THREADS.getCurrentThreadAllocatedBytes();
        try {
            FORMAT.parse(value, "default-id");
        } catch (InvalidRequestException e) {
            // Refused, in words.
        }
        return THREADS.getCurrentThreadAllocatedBytes() - before;
    }
}
