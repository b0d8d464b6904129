package io.layerskip.flink;

import io.layerskip.forward.LoadListener;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Writes to the log how far a model's loading has come, every few seconds. */
final class LoadLog implements LoadListener {

    private static final Logger LOG = LoggerFactory.getLogger(LoadLog.class);

    private static final long PAUSE = TimeUnit.SECONDS.toNanos(5);

    private final String model;
    private final LongSupplier nanoTime;
    private final Consumer<String> log;
    private long last;

    LoadLog(String model) {
        this(model, System::nanoTime, LOG::info);
    }

    /**
     * @param nanoTime the clock, such as {@link System#nanoTime}
     * @param log takes a message
     */
    LoadLog(String model, LongSupplier nanoTime, Consumer<String> log) {
        this.model = model;
        this.nanoTime = nanoTime;
        this.log = log;
        this.last = nanoTime.getAsLong();
    }

    @Override
    public void onProgress(Stage stage, long done, long total) {
        long now = nanoTime.getAsLong();
        if (now - last >= PAUSE) {
            last = now;
            String loading = "Loading %s: %s".formatted(model, stage.text());
            log.accept(
                    total == 0
                            ? loading
                            : loading + ", %d of %d MB".formatted(done >> 20, total >> 20));
        }
    }
}
