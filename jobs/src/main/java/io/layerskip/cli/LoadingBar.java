package io.layerskip.cli;

import io.layerskip.forward.LoadListener;
import java.util.Optional;

/** A progress bar of a model's loading: one for each stage, on a terminal. */
final class LoadingBar implements LoadListener, AutoCloseable {

    private Optional<Stage> stage = Optional.empty();
    private Optional<Progress> bar = Optional.empty();

    @Override
    public synchronized void onProgress(Stage current, long done, long total) {
        if (!stage.equals(Optional.of(current))) {
            close();
            stage = Optional.of(current);
            bar = Optional.of(Progress.ofBytes(current.text(), total));
        }
        bar.ifPresent(shown -> shown.stepTo(done));
    }

    /** Ends the bar that is shown; idempotent. */
    @Override
    public synchronized void close() {
        bar.ifPresent(Progress::close);
        bar = Optional.empty();
        stage = Optional.empty();
    }
}
