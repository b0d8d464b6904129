package io.layerskip.flink;

import java.time.Instant;
import java.util.Optional;

/**
 * Tells one process of this machine from all others, also from one that has its id later.
 *
 * @param startMillis when it started, in ms since 1970; 0 where the system does not say
 */
record ProcessName(long pid, long startMillis) {

    /**
     * How far two processes may be apart about the start of a third: each adds the time since the
     * machine's start to what it thinks that was, and clocks are set.
     */
    private static final long CLOCKS_APART_MILLIS = 10_000;

    /** This process. */
    static ProcessName current() {
        return of(ProcessHandle.current());
    }

    private static ProcessName of(ProcessHandle process) {
        return new ProcessName(
                process.pid(), process.info().startInstant().map(Instant::toEpochMilli).orElse(0L));
    }

    /** Whether there is no such process any more. */
    boolean isDead() {
        ProcessName current = current();
        if (pid == current.pid) {
            // Nobody else has this id now, and what this process says of itself does not vary.
            return !equals(current);
        }
        Optional<ProcessHandle> process = ProcessHandle.of(pid).filter(ProcessHandle::isAlive);
        return process.isEmpty()
                || Math.abs(of(process.get()).startMillis - startMillis) > CLOCKS_APART_MILLIS;
    }
}
