package io.layerskip.flink;

import com.sun.management.OperatingSystemMXBean;
import io.layerskip.engine.EngineFailedException;
import io.layerskip.forward.LayerSkipModel;
import io.layerskip.forward.Precision;
import io.layerskip.model.Checkpoint;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The memory of this process, as the operating system counts it.
 *
 * @param limit what it may hold, in bytes: the container's limit, or else the machine's memory
 * @param resident what it holds, in bytes, the JVM's heap included; 0 where that cannot be known
 */
record ProcessMemory(long limit, long resident) {

    private static final Path STATUS = Path.of("/proc/self/status");
    private static final Pattern RESIDENT = Pattern.compile("VmRSS:\\s+(\\d+) kB");

    /** As it is now. */
    static ProcessMemory now() {
        return new ProcessMemory(
                ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class)
                        .getTotalMemorySize(),
                residentBytes());
    }

    /** What this process holds now, in bytes; 0 where Linux's /proc is missing. */
    static long residentBytes() {
        try {
            Matcher resident = RESIDENT.matcher(Files.readString(STATUS));
            return resident.find() ? Long.parseLong(resident.group(1)) << 10 : 0;
        } catch (IOException e) {
            return 0;
        }
    }

    /**
     * Refuses a model that cannot be held before the system ends the process for it.
     *
     * @throws EngineFailedException if its weights take more than what is left
     */
    void requireRoomFor(Checkpoint checkpoint, Precision precision) {
        long needed = LayerSkipModel.weightBytes(checkpoint.config(), precision);
        if (needed > limit - resident) {
            throw new EngineFailedException(
                    ("the weights of the model in %s take %d MB in %s, and %d MB are left: this"
                                    + " process may hold %d MB (the limit of its container, or the"
                                    + " machine's memory) and holds %d MB; allowed: a smaller %s,"
                                    + " or more memory outside the heap")
                            .formatted(
                                    checkpoint.folder(),
                                    megabytes(needed),
                                    precision,
                                    megabytes(limit - resident),
                                    megabytes(limit),
                                    megabytes(resident),
                                    LayerSkipOptions.PRECISION.key()));
        }
    }

    private static long megabytes(long bytes) {
        return bytes >> 20;
    }
}
