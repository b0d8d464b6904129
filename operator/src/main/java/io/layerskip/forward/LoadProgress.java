package io.layerskip.forward;

import org.apache.flink.annotation.Internal;

/** Counts what several threads have done of a stage, for a listener. Thread-safe. */
@Internal
public final class LoadProgress {

    private final LoadListener listener;
    private final LoadListener.Stage stage;
    private final long total;
    private long done;

    /** Begins a stage of so many bytes. */
    public LoadProgress(LoadListener listener, LoadListener.Stage stage, long total) {
        this.listener = listener;
        this.stage = stage;
        this.total = total;
        listener.onProgress(stage, 0, total);
    }

    /** So many bytes more are done. */
    public synchronized void add(long bytes) {
        done += bytes;
        listener.onProgress(stage, done, total);
    }
}
