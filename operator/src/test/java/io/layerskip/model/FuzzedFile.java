package io.layerskip.model;

import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;

/** A file whose content is an input of a fuzzer. */
final class FuzzedFile {

    private static final Path FOLDER = Path.of("target", "fuzz");
    private static final long MOST_BYTES = 1 << 20;
    private static final long MOST_BYTES_EACH = 256;
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    private FuzzedFile() {}

    /** What reads a checkpoint's file. */
    @FunctionalInterface
    interface Reader {
        void read(Path file) throws CheckpointException;
    }

    /**
     * Has a file read, which may fail with a CheckpointException only.
     *
     * @throws IllegalStateException if reading allocates more than 1 MiB and 256 bytes a byte
     */
    static void read(String name, byte[] content, Reader reader) throws IOException {
        Path folder = Files.createDirectories(FOLDER.resolve(name + ".folder"));
        Path file = Files.write(folder.resolve(name), content);
        long most = MOST_BYTES + MOST_BYTES_EACH * content.length;
        // A second time if need be: the first one may have loaded classes.
        if (allocated(file, reader) > most && allocated(file, reader) > most) {
            throw new IllegalStateException("more than " + most + " bytes for " + content.length);
        }
    }

    private static long allocated(Path file, Reader reader) {
        long before = THREADS.getCurrentThreadAllocatedBytes();
        try {
            reader.read(file);
        } catch (CheckpointException e) {
            // Refused, in words.
        }
        return THREADS.getCurrentThreadAllocatedBytes() - before;
    }
}
