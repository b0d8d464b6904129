package io.layerskip.flink;

import java.lang.management.ManagementFactory;
import javax.management.JMException;
import javax.management.ObjectName;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The memory of native libraries in this process: what malloc hands out. */
final class NativeHeap {

    private static final Logger LOG = LoggerFactory.getLogger(NativeHeap.class);

    private NativeHeap() {}

    /**
     * Lets malloc give freed memory back to the system.
     *
     * <p>The GNU C library keeps up to 64 MB of it in each of its arenas, eight arenas a core, and
     * hands a new thread another one: a model that is closed and opened again would add to the
     * resident memory until all of them are full. The JVM has a diagnostic command to trim them
     * ({@code jcmd System.trim_native_heap}). Where there is no such command or another malloc,
     * nothing happens.
     */
    static void trim() {
        try {
            ManagementFactory.getPlatformMBeanServer()
                    .invoke(
                            new ObjectName("com.sun.management:type=DiagnosticCommand"),
                            "systemTrimNativeHeap",
                            new Object[0],
                            new String[0]);
        } catch (JMException | RuntimeException e) {
            LOG.debug("cannot trim the native heap", e);
        }
    }
}
