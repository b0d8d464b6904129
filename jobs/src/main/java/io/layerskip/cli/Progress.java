package io.layerskip.cli;

import java.util.Optional;
import java.util.function.UnaryOperator;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import picocli.CommandLine.Help.Ansi;

/** A progress bar on the standard error, if there is a terminal; nothing elsewhere. */
final class Progress implements AutoCloseable {

    /** The bar's notation for an end that is not known. */
    private static final long UNKNOWN = -1;

    private static final long MEGABYTE = 1 << 20;

    private final Optional<ProgressBar> bar;

    private Progress(Optional<ProgressBar> bar) {
        this.bar = bar;
    }

    /** The progress of a known number of steps. */
    static Progress of(String task, long steps) {
        return of(task, steps, ProgressBarBuilder::showSpeed);
    }

    /** The progress of so many bytes; nothing of it stays on the terminal. */
    static Progress ofBytes(String task, long bytes) {
        return of(task, bytes, bar -> bar.setUnit(" MB", MEGABYTE).clearDisplayOnFinish());
    }

    private static Progress of(String task, long steps, UnaryOperator<ProgressBarBuilder> look) {
        if (!Ansi.AUTO.enabled()) {
            return new Progress(Optional.empty());
        }
        ProgressBarBuilder bar =
                new ProgressBarBuilder()
                        .setTaskName(task)
                        .setInitialMax(steps)
                        // Of one line, so that others can write lines above it.
                        .setConsumer(new ConsoleProgressBarConsumer(System.err));
        return new Progress(Optional.of(look.apply(bar).build()));
    }

    /** The progress of steps of which nobody knows how many come. */
    static Progress ofUnknown(String task) {
        return of(task, UNKNOWN);
    }

    void step() {
        bar.ifPresent(ProgressBar::step);
    }

    /** So many steps are done. */
    void stepTo(long steps) {
        bar.ifPresent(shown -> shown.stepTo(steps));
    }

    /** It is known now how many steps there are. */
    void of(long steps) {
        bar.ifPresent(shown -> shown.maxHint(steps));
    }

    /** Says something at the end of the bar. */
    void say(String message) {
        bar.ifPresent(shown -> shown.setExtraMessage(message));
    }

    @Override
    public void close() {
        bar.ifPresent(ProgressBar::close);
    }
}
