package io.layerskip.cli;

import java.util.Optional;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import picocli.CommandLine.Help.Ansi;

/** A progress bar on the standard error, if there is a terminal; nothing elsewhere. */
final class Progress implements AutoCloseable {

    /** The bar's notation for an end that is not known. */
    private static final long UNKNOWN = -1;

    private final Optional<ProgressBar> bar;

    private Progress(Optional<ProgressBar> bar) {
        this.bar = bar;
    }

    /** The progress of a known number of steps. */
    static Progress of(String task, long steps) {
        if (!Ansi.AUTO.enabled()) {
            return new Progress(Optional.empty());
        }
        return new Progress(
                Optional.of(
                        new ProgressBarBuilder()
                                .setTaskName(task)
                                .setInitialMax(steps)
                                .showSpeed()
                                // Of one line, so that others can write lines above it.
                                .setConsumer(new ConsoleProgressBarConsumer(System.err))
                                .build()));
    }

    /** The progress of steps of which nobody knows how many come. */
    static Progress ofUnknown(String task) {
        return of(task, UNKNOWN);
    }

    void step() {
        bar.ifPresent(ProgressBar::step);
    }

    @Override
    public void close() {
        bar.ifPresent(ProgressBar::close);
    }
}
