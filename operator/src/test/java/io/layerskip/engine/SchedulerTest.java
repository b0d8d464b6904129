package io.layerskip.engine;

import static org.assertj.core.api.Assertions.assertThat;

import io.layerskip.forward.KeyValueBlock;
import io.layerskip.forward.KeyValueCache;
import io.layerskip.forward.KeyValueCacheType;
import io.layerskip.forward.KeyValueMemory;
import io.layerskip.forward.PrefixCache;
import io.layerskip.model.BundledModel;
import io.layerskip.model.Checkpoint;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Who takes part in a round; what the model writes does not matter, so it takes no part. */
class SchedulerTest {

    private static final int BLOCK = KeyValueBlock.TOKENS;
    private static final int TOKEN = 7;

    private static Checkpoint checkpoint;

    @BeforeAll
    static void open() throws Exception {
        checkpoint = Checkpoint.open(BundledModel.folder());
    }

    @AfterAll
    static void close() {
        checkpoint.close();
    }

    @Test
    void takesAPromptInPartsBesideThoseThatDecode() {
        Setup setup = new Setup(64);
        ActiveGeneration decoding = setup.add(10, 100);
        setup.round();
        ActiveGeneration prompt = setup.add(200, 10);

        List<Integer> parts = new ArrayList<>();
        while (!prompt.sequence().prefilled()) {
            assertThat(setup.round()).contains(decoding);
            parts.add(prompt.turn().pending());
        }

        assertThat(parts).containsExactly(64, 64, 64, 8);
    }

    @Test
    void whoGivesWayKeepsWhatOthersDoNotNeed() {
        Setup setup = new Setup(6);
        ActiveGeneration old = setup.add(BLOCK, 2 * BLOCK);
        ActiveGeneration young = setup.add(5 * BLOCK - 2, 1);
        setup.round();
        int computed = young.sequence().cached();
        assertThat(computed).isEqualTo(3 * BLOCK);

        setup.roundsUntil(() -> old.sequence().length() > 2 * BLOCK + 1);

        assertThat(young.preemptions()).isEqualTo(1);
        assertThat(young.sequence().cached()).isGreaterThanOrEqualTo(computed - BLOCK);
    }

    @Test
    void whoGaveWayIsComputedNoFurtherThanItGaveUp() {
        Setup setup = new Setup(6);
        ActiveGeneration old = setup.add(BLOCK, 2 * BLOCK);
        ActiveGeneration young = setup.add(5 * BLOCK - 2, 1);

        setup.roundsUntil(() -> old.isDone() && young.isDone());

        int inAll = young.sequence().length() + old.sequence().length();
        assertThat(setup.rowsTaken).isLessThanOrEqualTo(inAll + 2 * BLOCK);
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void nobodyGivesWayAgainAndAgain(long seed) {
        Random random = new Random(seed);
        Setup setup = new Setup(8);
        List<ActiveGeneration> generations = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            generations.add(setup.add(1 + random.nextInt(BLOCK), 1 + random.nextInt(6 * BLOCK)));
        }

        setup.roundsUntil(() -> generations.stream().allMatch(ActiveGeneration::isDone));

        assertThat(generations).anyMatch(generation -> generation.preemptions() > 0);
        assertThat(generations).allMatch(generation -> generation.preemptions() <= 2);
    }

    @Test
    void theMemoryIsEmptyWhenAllAreDone() {
        Setup setup = new Setup(4);
        List<ActiveGeneration> generations =
                IntStream.range(0, 9).mapToObj(i -> setup.add(20 + i, 90)).toList();

        setup.roundsUntil(() -> generations.stream().allMatch(ActiveGeneration::isDone));

        assertThat(setup.memory.used()).isZero();
        assertThat(setup.scheduler.isEmpty()).isTrue();
    }

    @Test
    void anAbortedRequestThatWaitsGivesItsMemoryBack() {
        Setup setup = new Setup(6);
        setup.add(BLOCK, 2 * BLOCK);
        ActiveGeneration young = setup.add(5 * BLOCK - 2, 1);
        setup.roundsUntil(() -> young.preemptions() > 0);
        assertThat(young.sequence().cache().capacity()).isPositive();

        young.abort(new GenerationFailure(GenerationFailure.Kind.TIMEOUT, "too late"));
        setup.round();

        assertThat(young.result()).isCompleted();
        assertThat(young.sequence().cache().capacity()).isZero();
    }

    @Test
    void whoWaitedWithAnEmptyBlockStillFindsItsBeginning() {
        Setup setup = new Setup(7, 3);
        ActiveGeneration old = setup.add(6 * BLOCK - 1, 2);
        ActiveGeneration young = setup.add(4 * BLOCK, 2);
        setup.roundsUntil(() -> young.preemptions() > 0);
        assertThat(young.sequence().cached()).isZero();
        assertThat(young.sequence().cache().capacity()).isPositive();

        setup.roundsUntil(() -> old.isDone() && young.isDone());

        assertThat(young.result().join().statistics().cachedPromptTokens()).isEqualTo(3 * BLOCK);
    }

    /** A scheduler over some blocks of memory. */
    private static final class Setup {

        private final KeyValueMemory memory;
        private final Scheduler scheduler;
        private final LongAdder counter = new LongAdder();
        private int added;
        private int rowsTaken;

        Setup(int blocks) {
            this(blocks, 0);
        }

        Setup(int blocks, int prefixBlocks) {
            memory =
                    new KeyValueMemory(
                            checkpoint.config(),
                            KeyValueCacheType.FLOAT32,
                            blocks * KeyValueCacheType.FLOAT32.blockBytes(checkpoint.config()));
            scheduler = new Scheduler(32, new PrefixCache(memory, prefixBlocks));
        }

        ActiveGeneration add(int promptTokens, int maxTokens) {
            GenerationRequest request =
                    new GenerationRequest("" + added++, "", GenerationParameters.DEFAULTS);
            ActiveGeneration generation =
                    new ActiveGeneration(
                            request,
                            GenerationProgress.NONE,
                            "fp",
                            RequestWatch.NONE,
                            chunk -> {},
                            false);
            int[] prompt = new int[promptTokens];
            generation.start(
                    new Sequence(
                            prompt,
                            maxTokens,
                            new Sequence.Drafting(OptionalInt.of(1), OptionalInt.of(0), 0),
                            Set.of(),
                            new Sampling(0, 0, 1),
                            0,
                            new KeyValueCache(memory)),
                    new CompletionText(checkpoint.tokenizer(), List.of(), prompt),
                    Reporting.NOTHING,
                    Optional.empty());
            scheduler.add(generation);
            return generation;
        }

        /** A round in which the model writes a token for everyone whose turn writes. */
        List<ActiveGeneration> round() {
            List<ActiveGeneration> round = List.copyOf(scheduler.begin());
            for (ActiveGeneration generation : round) {
                Turn turn = generation.turn();
                assertThat(turn.cache().capacity()).isGreaterThanOrEqualTo(turn.positionsNeeded());
                rowsTaken += turn.pending();
                while (turn.rowsLeft() > 0) {
                    turn.addRow(0);
                }
                turn.choose(0, TOKEN);
                generation.write(counter);
            }
            scheduler.end();
            return round;
        }

        void roundsUntil(BooleanSupplier reached) {
            for (int rounds = 0; !reached.getAsBoolean(); rounds++) {
                assertThat(rounds).isLessThan(100_000);
                round();
            }
        }
    }
}
