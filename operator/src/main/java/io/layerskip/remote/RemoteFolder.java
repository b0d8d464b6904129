package io.layerskip.remote;

import io.layerskip.forward.ParallelTasks;
import io.layerskip.model.CheckpointException;
import io.layerskip.model.ModelLocation;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.file.AccessDeniedException;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.flink.core.fs.FSDataInputStream;
import org.apache.flink.core.fs.FileStatus;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.fs.Path;
import org.apache.flink.core.fs.UnsupportedFileSystemSchemeException;
import org.apache.flink.util.IOUtils;

/**
 * A folder at an address, read through Flink's file system for it.
 *
 * <p>File systems wait for their servers without regard to interrupts, so a thread of its own asks
 * them: whoever waits for an answer can be interrupted at any time, and then leaves. That thread
 * touches nothing on this machine, and ends with the answer that it waits for.
 */
final class RemoteFolder implements AutoCloseable {

    private static final int READ_BYTES = 1 << 20;

    private final ModelLocation address;
    private final Duration patience;
    private final Path folder;
    private final ExecutorService thread = Executors.newSingleThreadExecutor(RemoteFolder::thread);

    private RemoteFolder(ModelLocation address, Duration patience) throws CheckpointException {
        this.address = address;
        this.patience = patience;
        try {
            this.folder = new Path(address.name());
        } catch (IllegalArgumentException e) {
            throw new CheckpointException(
                    "%s is no address of a folder: %s".formatted(address, e.getMessage()), e);
        }
    }

    /** Takes what was read. */
    @FunctionalInterface
    interface Sink {
        void take(ByteBuffer bytes) throws IOException;
    }

    private static Thread thread(Runnable work) {
        Thread thread = new Thread(work, "layerskip-fetching");
        thread.setDaemon(true);
        return thread;
    }

    /**
     * Finds the file system for an address.
     *
     * @param patience how long to wait for each answer
     * @throws UnsupportedFileSystemSchemeException if Flink has none in this process
     * @throws CheckpointException if it is no address
     * @throws InterruptedIOException if the thread is interrupted
     */
    static RemoteFolder open(ModelLocation address, Duration patience) throws IOException {
        RemoteFolder opened = new RemoteFolder(address, patience);
        boolean found = false;
        try {
            opened.call("its file system", opened::fileSystem);
            found = true;
            return opened;
        } finally {
            if (!found) {
                opened.close();
            }
        }
    }

    private FileSystem fileSystem() throws IOException {
        return folder.getFileSystem();
    }

    /**
     * Looks at a file; empty if there is none of that name.
     *
     * @throws CheckpointException if that cannot be found out
     * @throws InterruptedIOException if the thread is interrupted
     */
    Optional<RemoteFile> find(String name) throws IOException {
        return call(name, () -> status(name));
    }

    private Optional<RemoteFile> status(String name) throws IOException {
        try {
            FileStatus status = fileSystem().getFileStatus(new Path(folder, name));
            return status.isDir()
                    ? Optional.empty()
                    : Optional.of(
                            new RemoteFile(name, status.getLen(), status.getModificationTime()));
        } catch (FileNotFoundException e) {
            return Optional.empty();
        }
    }

    /**
     * Reads a file to the end that it had when it was looked at.
     *
     * @param from position of the first byte
     * @throws CheckpointException if it cannot be read or is shorter by now
     * @throws InterruptedIOException if the thread is interrupted
     * @throws IOException if the sink throws it
     */
    void read(RemoteFile file, long from, Sink sink) throws IOException {
        FSDataInputStream in = call(file.name(), () -> open(file.name(), from));
        try {
            byte[] buffer = new byte[READ_BYTES];
            for (long at = from; at < file.size(); ) {
                int most = (int) Math.min(buffer.length, file.size() - at);
                int read = call(file.name(), () -> in.read(buffer, 0, most));
                if (read < 0) {
                    throw new CheckpointException(
                            "%s: %s ended after %d of %d bytes"
                                    .formatted(address, file.name(), at, file.size()));
                }
                sink.take(ByteBuffer.wrap(buffer, 0, read));
                at += read;
            }
        } finally {
            // After an interruption, as soon as the thread has got its answer.
            thread.execute(() -> closeQuietly(in));
        }
    }

    private FSDataInputStream open(String name, long from) throws IOException {
        FSDataInputStream in = fileSystem().open(new Path(folder, name));
        try {
            in.seek(from);
            return in;
        } catch (IOException | RuntimeException | Error e) {
            closeQuietly(in);
            throw e;
        }
    }

    private static void closeQuietly(FSDataInputStream in) {
        IOUtils.closeQuietly(in);
    }

    private <T> T call(String what, Callable<T> question) throws IOException {
        Future<T> answer = thread.submit(question);
        try {
            return answer.get(patience.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw ParallelTasks.interrupted(e);
        } catch (TimeoutException e) {
            throw new CheckpointException(
                    "%s: %s: cannot be read: no answer within %d s"
                            .formatted(address, what, patience.toSeconds()),
                    e);
        } catch (ExecutionException e) {
            throw failure(what, e.getCause());
        }
    }

    private IOException failure(String what, Throwable cause) {
        if (cause instanceof Error error) {
            throw error;
        }
        if (cause instanceof UnsupportedFileSystemSchemeException unsupported) {
            return unsupported;
        }
        String failed =
                cause instanceof AccessDeniedException
                        ? "access is denied to this process's credentials: " + cause.getMessage()
                        : "cannot be read: " + cause;
        return new CheckpointException("%s: %s: %s".formatted(address, what, failed), cause);
    }

    /** Lets go of the file system's thread; idempotent. */
    @Override
    public void close() {
        thread.shutdown();
    }
}
