package io.layerskip.model;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.apache.flink.annotation.Internal;

/**
 * Resources that are opened once and used by many: whoever asks first opens one, others with an
 * equal key get the same, and the last to close it frees it. Thread-safe.
 *
 * <p>Whoever asks while another opens waits, and opens it if the other fails: a failure is that of
 * one user, and nothing of it stays. An interrupt ends the waiting.
 *
 * <p>The slots of a TaskManager know nothing of each other, so what they share can only be found in
 * a static field. Flink loads the classes of a job once for all of its slots in a process: a static
 * field is the job's, and it goes with the job's classes.
 *
 * @param <K> tells resources apart; with {@code equals}
 * @param <R> what is shared; has to be thread-safe
 */
@Internal
public final class SharedResources<K, R> {

    private final Consumer<R> free;

    /** Those that somebody uses, opens or waits for; guarded by itself, as are their users. */
    private final Map<K, Entry<R>> entries = new HashMap<>();

    /**
     * @param free called once for each resource, by its last user
     */
    public SharedResources(Consumer<R> free) {
        this.free = free;
    }

    /** Opens a resource that nobody uses yet. */
    @FunctionalInterface
    public interface Opener<R> {
        /**
         * @throws IOException if it cannot be opened
         */
        R open() throws IOException;
    }

    /** One user's share of a resource. */
    public static final class Use<R> implements AutoCloseable {

        private final R resource;
        private final Runnable release;
        private final Runnable retire;
        private final AtomicBoolean closed = new AtomicBoolean();

        private Use(R resource, Runnable release, Runnable retire) {
            this.resource = resource;
            this.release = release;
            this.retire = retire;
        }

        /** Usable until {@link #close()}. */
        public R resource() {
            return resource;
        }

        /**
         * Lets nobody else have the resource, because it broke: whoever asks for it from now on
         * opens another. Those who have it keep it. Idempotent.
         */
        public void retire() {
            retire.run();
        }

        /** Gives the share up; the last user frees the resource. Idempotent. */
        @Override
        public void close() {
            if (closed.compareAndSet(false, true)) {
                release.run();
            }
        }
    }

    private static final class Entry<R> {
        /** Held while the resource is opened. */
        private final Lock opening = new ReentrantLock();

        private R resource;
        private int users;
    }

    /**
     * A share of the resource with that key, which is opened if nobody has yet.
     *
     * @throws InterruptedIOException if the thread is interrupted while another one opens it
     * @throws IOException if it cannot be opened
     */
    public Use<R> use(K key, Opener<R> opener) throws IOException {
        Entry<R> entry;
        synchronized (entries) {
            entry = entries.computeIfAbsent(key, absent -> new Entry<>());
            entry.users++;
        }
        Use<R> use = null;
        try {
            entry.opening.lockInterruptibly();
            try {
                if (entry.resource == null) {
                    entry.resource = opener.open();
                }
                use =
                        new Use<>(
                                entry.resource,
                                () -> release(key, entry),
                                () -> retire(key, entry));
            } finally {
                entry.opening.unlock();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while another slot loads the model");
        } finally {
            if (use == null) {
                release(key, entry);
            }
        }
        return use;
    }

    /** Whether there is a resource that somebody uses, opens or waits for. */
    public boolean inUse() {
        synchronized (entries) {
            return !entries.isEmpty();
        }
    }

    private void retire(K key, Entry<R> entry) {
        synchronized (entries) {
            entries.remove(key, entry);
        }
    }

    private void release(K key, Entry<R> entry) {
        boolean last;
        synchronized (entries) {
            entry.users--;
            last = entry.users == 0;
            if (last) {
                entries.remove(key, entry);
            }
        }
        if (last && entry.resource != null) {
            free.accept(entry.resource);
        }
    }
}
