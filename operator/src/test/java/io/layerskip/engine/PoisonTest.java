package io.layerskip.engine;

import static org.assertj.core.api.Assertions.assertThat;

import io.layerskip.forward.LoadListener;
import io.layerskip.model.BundledModel;
import io.layerskip.model.BundledModel.GoldenCase;
import io.layerskip.model.Checkpoint;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Requests that break the rounds that they take part in, with a real model under the rounds. */
@Timeout(120)
class PoisonTest {

    private static final Duration SOON = Duration.ofMinutes(1);
    private static final List<GoldenCase> CASES = BundledModel.goldenCases().subList(0, 12);

    /** A prompt that no other begins like; its tokens are what breaks. */
    private static final String POISON = "poison: of no use to anybody\n";

    private static Checkpoint checkpoint;
    private static int[] poison;

    @BeforeAll
    static void open() throws Exception {
        checkpoint = Checkpoint.open(BundledModel.folder());
        poison = checkpoint.tokenizer().encode(POISON);
    }

    @AfterAll
    static void close() {
        checkpoint.close();
    }

    /** When a round with a poison breaks, seen from the model. */
    enum Moment {
        /** Nothing of the round has been computed. */
        BEFORE {
            @Override
            void breakRound(Runnable round) {
                throw new IllegalStateException("told to");
            }
        },
        /** All has been computed, with keys and values in everybody's cache. */
        AFTER {
            @Override
            void breakRound(Runnable round) {
                round.run();
                throw new AssertionError("told to");
            }
        },
        /** The stack is deep, as with an input that nests. */
        IN_A_DEEP_STACK {
            @Override
            void breakRound(Runnable round) {
                breakRound(round);
                round.run();
            }
        };

        abstract void breakRound(Runnable round);
    }

    @ParameterizedTest
    @EnumSource
    void theRequestThatBreaksAloneFailsAndTheOthersWriteWhatTheyAlwaysWrite(Moment moment) {
        try (GenerationEngine engine =
                engine(
                        round ->
                                turns -> {
                                    if (turns.stream().anyMatch(PoisonTest::isPoison)) {
                                        moment.breakRound(() -> round.accept(turns));
                                    } else {
                                        round.accept(turns);
                                    }
                                })) {
            List<Generation> others = new ArrayList<>();
            Generation poisoned = null;
            for (int i = 0; i < CASES.size(); i++) {
                if (i == CASES.size() / 2) {
                    poisoned = submit(engine, POISON);
                }
                others.add(submit(engine, CASES.get(i).prompt()));
            }

            assertThat(failure(poisoned).kind()).isEqualTo(GenerationFailure.Kind.POISON_REQUEST);
            assertGolden(others);
            assertThat(engine.status().keyValueBlocksUsed())
                    .as("blocks that only beginnings of prompts hold")
                    .isLessThanOrEqualTo(engine.status().keyValueBlocks() / 2);
        }
    }

    @Test
    void aPoisonThatDecodesForAWhileKeepsWhatItHasWritten() {
        try (GenerationEngine engine =
                engine(
                        round ->
                                turns -> {
                                    if (turns.stream()
                                            .anyMatch(
                                                    turn ->
                                                            isPoison(turn)
                                                                    && turn.sequence()
                                                                                    .completionLength()
                                                                            >= 3)) {
                                        throw new IllegalStateException("told to");
                                    }
                                    round.accept(turns);
                                })) {
            Generation other = submit(engine, CASES.get(0).prompt());
            GenerationResult result = engine.submit(longRequest(POISON)).result().join();

            assertThat(result.failure().orElseThrow().kind())
                    .isEqualTo(GenerationFailure.Kind.POISON_REQUEST);
            assertThat(result.failure().orElseThrow().message()).contains("told to");
            assertThat(result.tokenIds()).hasSizeGreaterThanOrEqualTo(3);
            assertGolden(List.of(other));
        }
    }

    @Test
    void aRoundThatBreaksOnceCostsNobodyAnything() {
        AtomicInteger rounds = new AtomicInteger();
        try (GenerationEngine engine =
                engine(
                        round ->
                                turns -> {
                                    round.accept(turns);
                                    if (rounds.incrementAndGet() == 4) {
                                        throw new IllegalStateException("once");
                                    }
                                })) {
            List<Generation> all =
                    CASES.stream().map(golden -> submit(engine, golden.prompt())).toList();

            assertGolden(all);
        }
    }

    @Test
    void oneOfSeveralCompletionsFailsTheWholeRequest() {
        try (GenerationEngine engine = engine(breakingIf(PoisonTest::isPoison))) {
            Generation several =
                    engine.submit(
                            new GenerationRequest(
                                    "several",
                                    POISON,
                                    GenerationParameters.builder().n(3).build()));

            assertThat(failure(several).kind()).isEqualTo(GenerationFailure.Kind.POISON_REQUEST);
        }
    }

    @Test
    void aModelThatBreaksOnAProbeTooFailsTheEngine() {
        try (GenerationEngine engine = engine(breakingIf(turn -> true))) {
            EngineFailedException failed = engineFailure(submit(engine, CASES.get(0).prompt()));

            assertThat(failed).hasMessageContaining("told to");
            assertThat(failed.requestMayBeToBlame()).isFalse();
        }
    }

    /** They may all be poison, or the model may be broken in a way that a probe does not see. */
    @Test
    void aModelThatBreaksForEachOfSeveralRequestsFailsTheEngine() {
        AtomicBoolean together = new AtomicBoolean();
        try (GenerationEngine engine =
                engine(
                        round ->
                                turns -> {
                                    together.compareAndSet(false, turns.size() == 3);
                                    if (together.get() && !isProbe(turns.get(0))) {
                                        throw new IllegalStateException("told to");
                                    }
                                    round.accept(turns);
                                })) {
            List<Generation> all =
                    IntStream.range(0, 3)
                            .mapToObj(i -> engine.submit(longRequest(CASES.get(i).prompt())))
                            .toList();

            EngineFailedException failed = engineFailure(all.get(0));
            assertThat(failed.requestMayBeToBlame()).isTrue();
        }
    }

    @ParameterizedTest
    @EnumSource
    void whatConcernsTheWholeProcessIsNoRequestsFault(OfProcess error) {
        try (GenerationEngine engine =
                engine(
                        round ->
                                turns -> {
                                    throw new IllegalStateException(error.error);
                                })) {
            EngineFailedException failed = engineFailure(submit(engine, CASES.get(0).prompt()));

            assertThat(failed).hasRootCause(error.error);
            assertThat(failed.requestMayBeToBlame()).isEqualTo(error == OfProcess.NO_MEMORY);
        }
    }

    /** Errors after which nothing in the process can be relied on. */
    enum OfProcess {
        DAMAGED_FILE(new InternalError("a fault occurred in an unsafe memory access")),
        NO_MEMORY(new OutOfMemoryError("Java heap space"));

        private final Error error;

        OfProcess(Error error) {
            this.error = error;
        }
    }

    private static Wrapper breakingIf(Predicate<Turn> breaks) {
        return round ->
                turns -> {
                    if (turns.stream().anyMatch(breaks)) {
                        throw new IllegalStateException("told to");
                    }
                    round.accept(turns);
                };
    }

    @FunctionalInterface
    private interface Wrapper extends UnaryOperator<Consumer<List<Turn>>> {}

    private static GenerationEngine engine(Wrapper wrapper) {
        return GenerationEngine.open(
                checkpoint,
                EngineSettings.builder(2)
                        .defaults(GenerationParameters.builder().numAssistantTokens(3).build())
                        .build(),
                LoadListener.NONE,
                wrapper);
    }

    private static boolean isPoison(Turn turn) {
        return Arrays.equals(poison, 0, poison.length, turn.sequence().tokens(), 0, poison.length)
                && turn.sequence().promptLength() == poison.length;
    }

    private static boolean isProbe(Turn turn) {
        return turn.sequence().promptLength() == 8;
    }

    private static GenerationRequest longRequest(String prompt) {
        return new GenerationRequest(
                "long",
                prompt,
                GenerationParameters.builder().maxTokens(200).ignoreEos(true).build());
    }

    private static Generation submit(GenerationEngine engine, String prompt) {
        return engine.submit(new GenerationRequest("id", prompt, GenerationParameters.DEFAULTS));
    }

    private static GenerationFailure failure(Generation generation) {
        return generation.result().join().failure().orElseThrow();
    }

    private static EngineFailedException engineFailure(Generation generation) {
        CompletableFuture<Throwable> failure = generation.result().handle((result, error) -> error);
        assertThat(failure).succeedsWithin(SOON);
        Throwable error = failure.join();
        return Optional.of(error)
                .filter(EngineFailedException.class::isInstance)
                .or(() -> Optional.ofNullable(error.getCause()))
                .map(EngineFailedException.class::cast)
                .orElseThrow();
    }

    private static void assertGolden(List<Generation> generations) {
        for (int i = 0; i < generations.size(); i++) {
            GenerationResult result = generations.get(i).result().join();
            assertThat(result.failure()).isEmpty();
            assertThat(result.text()).isEqualTo(CASES.get(i).completion());
        }
    }
}
