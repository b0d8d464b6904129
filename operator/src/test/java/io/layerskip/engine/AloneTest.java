package io.layerskip.engine;

import static org.assertj.core.api.Assertions.assertThat;

import io.layerskip.forward.LoadListener;
import io.layerskip.model.BundledModel;
import io.layerskip.model.BundledModel.GoldenCase;
import io.layerskip.model.Checkpoint;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Requests that nothing may be computed beside, and what a watch is told. */
@Timeout(120)
class AloneTest {

    private static final List<GoldenCase> CASES = BundledModel.goldenCases().subList(0, 16);

    private static Checkpoint checkpoint;

    private final AtomicInteger roundsUnderWay = new AtomicInteger();
    private final AtomicBoolean aloneUnderWay = new AtomicBoolean();
    private final Set<String> violations = ConcurrentHashMap.newKeySet();
    private final List<String> told = Collections.synchronizedList(new ArrayList<>());

    @BeforeAll
    static void open() throws Exception {
        checkpoint = Checkpoint.open(BundledModel.folder());
    }

    @AfterAll
    static void close() {
        checkpoint.close();
    }

    @Test
    void nothingIsComputedBesideARequestThatMustBeAloneInAnyEngine() {
        try (GenerationEngine first = engine();
                GenerationEngine second = engine()) {
            List<Generation> generations = new ArrayList<>();
            for (int i = 0; i < CASES.size(); i++) {
                for (GenerationEngine engine : List.of(first, second)) {
                    generations.add(submit(engine, i, i % 4 == 3));
                }
            }

            for (int i = 0; i < generations.size(); i++) {
                assertThat(generations.get(i).result().join().text())
                        .isEqualTo(CASES.get(i / 2).completion());
            }
            assertThat(violations).isEmpty();
        }
    }

    @Test
    void aRequestThatMustBeAloneWakesAnEngineThatHasNothingToDo() {
        try (GenerationEngine engine = engine()) {
            assertThat(submit(engine, 0, true).result().join().text())
                    .isEqualTo(CASES.get(0).completion());
            assertThat(submit(engine, 1, true).result().join().text())
                    .isEqualTo(CASES.get(1).completion());
        }
    }

    @Test
    void aRequestThatIsAbortedWhileItWaitsToBeAloneEndsAndHoldsUpNobody() {
        GenerationFailure late = new GenerationFailure(GenerationFailure.Kind.TIMEOUT, "too late");
        try (GenerationEngine engine = engine()) {
            Generation longOne =
                    engine.submit(
                            new GenerationRequest(
                                    "long",
                                    CASES.get(0).prompt(),
                                    GenerationParameters.builder()
                                            .maxTokens(200)
                                            .ignoreEos(true)
                                            .build()));
            Generation suspect = submit(engine, 1, true);
            suspect.abort(late);

            assertThat(suspect.result().join().failure()).contains(late);
            assertThat(submit(engine, 2, false).result().join().text())
                    .isEqualTo(CASES.get(2).completion());
            assertThat(longOne.result().join().tokenIds()).hasSize(200);
        }
    }

    @Test
    void theWatchIsToldOfTheBeginningAndOfTheEnd() {
        try (GenerationEngine engine = engine()) {
            submit(engine, 0, false).result().join();
        }

        assertThat(told).containsExactly("0 begun", "0 ended");
    }

    @Test
    void theWatchIsNotToldOfAnEndIfTheEngineIsClosedBefore() {
        GenerationEngine engine = engine();
        Generation cut =
                engine.submit(
                        new GenerationRequest(
                                "long",
                                CASES.get(0).prompt(),
                                GenerationParameters.builder()
                                        .maxTokens(400)
                                        .numAssistantTokens(0)
                                        .ignoreEos(true)
                                        .build()),
                        GenerationProgress.NONE,
                        new Watch("long", false));
        while (cut.progress().tokenIds().isEmpty()) {
            Thread.onSpinWait();
        }

        engine.close();

        assertThat(told).containsExactly("long begun");
    }

    private Generation submit(GenerationEngine engine, int i, boolean alone) {
        return engine.submit(
                new GenerationRequest("" + i, CASES.get(i).prompt(), GenerationParameters.DEFAULTS),
                GenerationProgress.NONE,
                new Watch("" + i, alone));
    }

    private final class Watch implements RequestWatch {

        private final String name;
        private final boolean alone;

        Watch(String name, boolean alone) {
            this.name = name;
            this.alone = alone;
        }

        @Override
        public boolean alone() {
            return alone;
        }

        @Override
        public void begun() {
            told.add(name + " begun");
            if (alone && !aloneUnderWay.compareAndSet(false, true)) {
                violations.add("two alone");
            }
        }

        @Override
        public void ended() {
            told.add(name + " ended");
            if (alone) {
                aloneUnderWay.set(false);
            }
        }
    }

    private GenerationEngine engine() {
        return GenerationEngine.open(
                checkpoint, EngineSettings.builder(2).build(), LoadListener.NONE, this::watched);
    }

    private Consumer<List<Turn>> watched(Consumer<List<Turn>> round) {
        return turns -> {
            int others = roundsUnderWay.getAndIncrement();
            if (aloneUnderWay.get() && (others > 0 || turns.size() > 1)) {
                violations.add(others + " other rounds, " + turns.size() + " turns");
            }
            round.accept(turns);
            roundsUnderWay.decrementAndGet();
        };
    }
}
