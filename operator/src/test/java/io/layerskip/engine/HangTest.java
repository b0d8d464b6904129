package io.layerskip.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.layerskip.forward.LoadListener;
import io.layerskip.model.BundledModel;
import io.layerskip.model.BundledModel.GoldenCase;
import io.layerskip.model.Checkpoint;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Passes that do not end, whatever the engine's thread is told. */
@Timeout(120)
class HangTest {

    private static final GoldenCase GOLDEN = BundledModel.goldenCases().get(0);

    private static Checkpoint checkpoint;

    private final CountDownLatch released = new CountDownLatch(1);
    private final AtomicBoolean hangs = new AtomicBoolean();

    @BeforeAll
    static void open() throws Exception {
        checkpoint = Checkpoint.open(BundledModel.folder());
    }

    @AfterAll
    static void close() {
        checkpoint.close();
    }

    @AfterEach
    void release() {
        released.countDown();
    }

    @Test
    void everyRequestEndsWithTheEngineAndClosingItDoesNotWait() {
        GenerationEngine engine = engine(Duration.ofMillis(200));
        hangs.set(true);
        Generation underWay = submit(engine);
        Generation waiting = submit(engine);

        for (Generation generation : List.of(underWay, waiting, submit(engine))) {
            assertThatThrownBy(() -> generation.result().join())
                    .isInstanceOf(CompletionException.class)
                    .cause()
                    .isInstanceOfSatisfying(
                            EngineFailedException.class,
                            e -> assertThat(e.requestMayBeToBlame()).isTrue())
                    .hasMessage("a pass has taken more than the 200 ms of pass-timeout");
        }
        engine.close();
        assertThatThrownBy(() -> submit(engine).result().join())
                .hasCauseInstanceOf(EngineFailedException.class);
    }

    @Test
    void whatThePassMayStillUseIsFreedWhenItEnds() throws Exception {
        GenerationEngine engine = engine(Duration.ofMillis(50));
        hangs.set(true);
        assertThatThrownBy(() -> submit(engine).result().join())
                .hasCauseInstanceOf(EngineFailedException.class);
        CountDownLatch freed = new CountDownLatch(1);
        engine.close();
        engine.whenFreed(freed::countDown);
        assertThat(freed.getCount()).isEqualTo(1);

        released.countDown();

        freed.await();
    }

    @Test
    void aPassUnderWayShowsHowLongItHasTaken() throws Exception {
        try (GenerationEngine engine = engine(Duration.ofMinutes(1))) {
            assertThat(engine.status().passTime()).isZero();
            hangs.set(true);
            Generation slow = submit(engine);
            while (engine.status().passTime().toMillis() < 20) {
                Thread.sleep(1);
            }

            released.countDown();

            assertThat(slow.result().join().text()).isEqualTo(GOLDEN.completion());
            hangs.set(false);
            assertThat(engine.status().passTime()).isLessThan(Duration.ofMillis(20));
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void anotherEngineOfTheProcessGoesOnAloneOrNot(boolean hangsAlone) {
        GenerationEngine engine = engine(Duration.ofMillis(50));
        hangs.set(true);
        assertThatThrownBy(() -> submit(engine, hangsAlone).result().join())
                .hasCauseInstanceOf(EngineFailedException.class);
        hangs.set(false);

        try (GenerationEngine next = engine(Duration.ofMinutes(1))) {
            for (boolean alone : List.of(false, true)) {
                assertThat(submit(next, alone).result().join().text())
                        .isEqualTo(GOLDEN.completion());
            }
        }
        engine.close();
    }

    private static Generation submit(GenerationEngine engine, boolean alone) {
        return engine.submit(
                request(), GenerationProgress.NONE, alone ? new AloneWatch() : RequestWatch.NONE);
    }

    private record AloneWatch() implements RequestWatch {
        @Override
        public boolean alone() {
            return true;
        }

        @Override
        public void begun() {}

        @Override
        public void ended() {}
    }

    private GenerationEngine engine(Duration passTimeout) {
        return GenerationEngine.open(
                checkpoint,
                EngineSettings.builder(2).passTimeout(passTimeout).build(),
                LoadListener.NONE,
                round -> hanging(round));
    }

    /** As native code does, it takes no notice of interrupts. */
    private Consumer<List<Turn>> hanging(Consumer<List<Turn>> round) {
        return turns -> {
            if (hangs.get()) {
                Threads.await(released);
            }
            round.accept(turns);
        };
    }

    private static GenerationRequest request() {
        return new GenerationRequest("1", GOLDEN.prompt(), GenerationParameters.DEFAULTS);
    }

    private static Generation submit(GenerationEngine engine) {
        return engine.submit(request());
    }
}
