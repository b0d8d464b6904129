package io.layerskip.forward;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class ParallelTasksTest {

    @Test
    void runsAllSideBySide() throws Exception {
        CountDownLatch both = new CountDownLatch(2);
        ParallelTasks.Task task =
                () -> {
                    both.countDown();
                    await(both);
                };

        ParallelTasks.run(2, List.of(task, task));

        assertThat(both.getCount()).isZero();
    }

    @Test
    void beginsNoFurtherOneAfterAFailure() {
        AtomicInteger begun = new AtomicInteger();
        ParallelTasks.Task failing =
                () -> {
                    begun.incrementAndGet();
                    throw new IOException("no room");
                };
        ParallelTasks.Task waiting = () -> await(new CountDownLatch(1));

        assertThatThrownBy(
                        () ->
                                ParallelTasks.run(
                                        1, List.of(failing, waiting, begun::getAndIncrement)))
                .hasMessage("no room");
        assertThat(begun).hasValue(1);
    }

    @Test
    void returnsAfterAnInterruptionOnceWhatIsUnderWayHasEnded() {
        AtomicBoolean ended = new AtomicBoolean();
        Thread caller = Thread.currentThread();
        ParallelTasks.Task task =
                () -> {
                    caller.interrupt();
                    try {
                        await(new CountDownLatch(1));
                    } finally {
                        ended.set(true);
                    }
                };

        assertThatThrownBy(() -> ParallelTasks.run(1, List.of(task)))
                .isInstanceOf(InterruptedIOException.class);
        assertThat(ended).isTrue();
        assertThat(Thread.interrupted()).isTrue();
    }

    private static void await(CountDownLatch latch) throws IOException {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException();
        }
    }
}
