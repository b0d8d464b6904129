package io.layerskip.forward;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import org.apache.flink.annotation.Internal;

/**
 * A lock on a file: of all processes, and of all threads of each, one holds it. It goes with the
 * process that held it, however that ends.
 *
 * <p>POSIX locks belong to a process and are lost as soon as it closes the file anywhere. So within
 * the process, a system property comes first: those are what all class loaders share.
 */
@Internal
public final class ProcessLock implements AutoCloseable {

    private static final String PROPERTY = "io.layerskip.lock.";
    private static final String HELD = "held";
    private static final long POLL_MILLIS = 100;

    private final String property;
    private final FileChannel channel;

    private ProcessLock(String property, FileChannel channel) {
        this.property = property;
        this.channel = channel;
    }

    /**
     * Takes the lock, or waits for it.
     *
     * @param file made if it is missing; it stays
     * @param waiting run again and again while somebody else holds the lock
     * @throws java.io.InterruptedIOException if the thread is interrupted, which it stays
     */
    public static ProcessLock acquire(Path file, Runnable waiting) throws IOException {
        Optional<ProcessLock> lock = tryAcquire(file);
        while (lock.isEmpty()) {
            waiting.run();
            try {
                Thread.sleep(POLL_MILLIS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw ParallelTasks.interrupted(e);
            }
            lock = tryAcquire(file);
        }
        return lock.get();
    }

    /** Takes the lock, unless somebody else holds it. */
    static Optional<ProcessLock> tryAcquire(Path file) throws IOException {
        String property = PROPERTY + file.toAbsolutePath();
        if (System.getProperties().putIfAbsent(property, HELD) != null) {
            return Optional.empty();
        }
        ProcessLock lock = null;
        try {
            FileChannel channel =
                    FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            FileLock held = channel.tryLock();
            if (held == null) {
                channel.close();
            } else {
                lock = new ProcessLock(property, channel);
            }
            return Optional.ofNullable(lock);
        } finally {
            if (lock == null) {
                System.getProperties().remove(property);
            }
        }
    }

    /** Gives the lock back. */
    @Override
    public void close() throws IOException {
        try {
            channel.close();
        } finally {
            System.getProperties().remove(property);
        }
    }
}
