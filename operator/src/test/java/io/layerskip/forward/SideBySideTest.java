package io.layerskip.forward;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ForkJoinPool;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class SideBySideTest {

    private static final int PARTS = 4;

    private static ForkJoinPool pool;

    @BeforeAll
    static void open() {
        pool = new ForkJoinPool(PARTS);
    }

    @AfterAll
    static void close() {
        pool.shutdown();
    }

    @Test
    void runsEachPartOnce() {
        Set<Integer> parts = ConcurrentHashMap.newKeySet();

        SideBySide.run(pool, PARTS, part -> assertThat(parts.add(part)).isTrue());

        assertThat(parts).containsExactlyInAnyOrder(0, 1, 2, 3);
    }

    @Test
    void whereOnePartBreaksTheOthersHaveEndedTooWhenItReturns() {
        CountDownLatch broken = new CountDownLatch(1);
        Set<Integer> ended = ConcurrentHashMap.newKeySet();
        Error failure = new AssertionError("told to");

        assertThatThrownBy(
                        () ->
                                SideBySide.run(
                                        pool,
                                        PARTS,
                                        part -> {
                                            if (part == 0) {
                                                broken.countDown();
                                                throw failure;
                                            }
                                            await(broken);
                                            pause();
                                            ended.add(part);
                                        }))
                .isSameAs(failure);

        assertThat(ended).containsExactlyInAnyOrder(1, 2, 3);
    }

    /** Long enough for whoever does not wait to return. */
    private static void pause() {
        long end = System.nanoTime() + 50_000_000;
        while (System.nanoTime() < end) {
            Thread.onSpinWait();
        }
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}
