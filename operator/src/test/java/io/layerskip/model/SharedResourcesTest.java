package io.layerskip.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.layerskip.model.SharedResources.Use;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class SharedResourcesTest {

    private final List<Integer> freed = new ArrayList<>();
    private final SharedResources<String, Integer> shared = new SharedResources<>(freed::add);
    private final AtomicInteger opened = new AtomicInteger();

    @Test
    void theFirstOpensAndTheLastFrees() throws Exception {
        Use<Integer> first = shared.use("a", opened::incrementAndGet);
        Use<Integer> second = shared.use("a", opened::incrementAndGet);
        assertThat(second.resource()).isEqualTo(first.resource()).isEqualTo(1);

        first.close();
        first.close();
        assertThat(freed).isEmpty();

        assertThat(shared.inUse()).isTrue();

        second.close();
        assertThat(freed).containsExactly(1);
        assertThat(shared.inUse()).isFalse();
    }

    @Test
    void oneThatBrokeIsKeptByItsUsersAndGivenToNobodyElse() throws Exception {
        Use<Integer> first = shared.use("a", opened::incrementAndGet);
        Use<Integer> second = shared.use("a", opened::incrementAndGet);

        first.retire();
        second.retire();

        try (Use<Integer> third = shared.use("a", opened::incrementAndGet);
                Use<Integer> fourth = shared.use("a", opened::incrementAndGet)) {
            assertThat(third.resource()).isEqualTo(fourth.resource()).isEqualTo(2);
            first.close();
            assertThat(freed).isEmpty();
            second.close();
            assertThat(freed).containsExactly(1);
        }
        assertThat(freed).containsExactly(1, 2);
        assertThat(shared.inUse()).isFalse();
    }

    @Test
    void keysHaveResourcesOfTheirOwn() throws Exception {
        try (Use<Integer> a = shared.use("a", opened::incrementAndGet);
                Use<Integer> b = shared.use("b", opened::incrementAndGet)) {
            assertThat(a.resource()).isNotEqualTo(b.resource());
        }
        assertThat(freed).containsExactly(2, 1);
    }

    @Test
    void whatWasFreedIsOpenedAgain() throws Exception {
        shared.use("a", opened::incrementAndGet).close();

        try (Use<Integer> again = shared.use("a", opened::incrementAndGet)) {
            assertThat(again.resource()).isEqualTo(2);
        }
        assertThat(freed).containsExactly(1, 2);
    }

    @Test
    void whoComesWhileAnotherOpensWaitsAndSharesIt() throws Exception {
        CountDownLatch mayOpen = new CountDownLatch(1);
        FutureTask<Use<Integer>> first = started(() -> openedWhen(mayOpen));
        FutureTask<Use<Integer>> second = waiting(opened::incrementAndGet);

        mayOpen.countDown();

        assertThat(second.get().resource()).isEqualTo(first.get().resource());
        assertThat(opened).hasValue(1);
    }

    @Test
    void whoWaitsOpensItWhereTheFirstFails() throws Exception {
        CountDownLatch mayFail = new CountDownLatch(1);
        FutureTask<Use<Integer>> first =
                started(
                        () -> {
                            openedWhen(mayFail);
                            throw new IOException("told to");
                        });
        FutureTask<Use<Integer>> second = waiting(opened::incrementAndGet);

        mayFail.countDown();

        assertThatThrownBy(first::get).hasRootCauseMessage("told to");
        assertThat(second.get().resource()).isEqualTo(2);
        second.get().close();
        assertThat(freed).containsExactly(2);
    }

    @Test
    void nothingOfAFailureStays() throws Exception {
        assertThatThrownBy(
                        () ->
                                shared.use(
                                        "a",
                                        () -> {
                                            throw new IllegalStateException("told to");
                                        }))
                .hasMessage("told to");

        shared.use("a", opened::incrementAndGet).close();
        assertThat(freed).containsExactly(1);
    }

    @Test
    void anInterruptEndsTheWaitingOfOneAlone() throws Exception {
        CountDownLatch mayOpen = new CountDownLatch(1);
        FutureTask<Use<Integer>> first = started(() -> openedWhen(mayOpen));
        FutureTask<Use<Integer>> interrupted = new FutureTask<>(this::use);
        Thread thread = new Thread(interrupted);
        thread.start();
        awaitWaiting(thread);
        FutureTask<Use<Integer>> other = waiting(opened::incrementAndGet);

        thread.interrupt();

        assertThatThrownBy(interrupted::get).hasCauseInstanceOf(InterruptedIOException.class);
        assertThat(first).isNotDone();
        mayOpen.countDown();
        first.get().close();
        assertThat(freed).isEmpty();
        other.get().close();
        assertThat(freed).containsExactly(1);
    }

    private Use<Integer> use() throws IOException {
        return shared.use("a", opened::incrementAndGet);
    }

    /** A thread that has begun to open. */
    private FutureTask<Use<Integer>> started(SharedResources.Opener<Integer> opener)
            throws InterruptedException {
        CountDownLatch begun = new CountDownLatch(1);
        FutureTask<Use<Integer>> task =
                new FutureTask<>(
                        () ->
                                shared.use(
                                        "a",
                                        () -> {
                                            begun.countDown();
                                            return opener.open();
                                        }));
        new Thread(task).start();
        begun.await();
        return task;
    }

    /** A thread that waits until another has opened. */
    private FutureTask<Use<Integer>> waiting(SharedResources.Opener<Integer> opener) {
        FutureTask<Use<Integer>> task = new FutureTask<>(() -> shared.use("a", opener));
        Thread thread = new Thread(task);
        thread.start();
        awaitWaiting(thread);
        return task;
    }

    private static void awaitWaiting(Thread thread) {
        while (thread.getState() != Thread.State.WAITING) {
            Thread.onSpinWait();
        }
    }

    private int openedWhen(CountDownLatch allowed) {
        try {
            allowed.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
        return opened.incrementAndGet();
    }
}
