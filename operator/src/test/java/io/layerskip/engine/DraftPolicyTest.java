package io.layerskip.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.layerskip.forward.KeyValueCache;
import io.layerskip.forward.KeyValueMemory;
import io.layerskip.forward.LayerSkipModel;
import io.layerskip.model.BundledModel;
import io.layerskip.model.Checkpoint;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.IntToDoubleFunction;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class DraftPolicyTest {

    private static final int BATCH = 16;

    private static KeyValueMemory memory;

    @BeforeAll
    static void readConfig() throws Exception {
        try (Checkpoint checkpoint = Checkpoint.open(BundledModel.folder())) {
            memory = new KeyValueMemory(checkpoint.config(), 1L << 28);
        }
    }

    @Test
    void draftsWhereFurtherRowsAreCheap() {
        DraftPolicy policy = policy(rows -> 100 + rows);

        assertThat(policy.keep(sequences(1), 1, 1, 1)).isEqualTo(1);
        assertThat(policy.worthARow(0.5, 1, 1, 1, 1)).isTrue();
    }

    @Test
    void draftsNothingWhereEveryRowCostsItsShare() {
        DraftPolicy policy = policy(rows -> 100.0 * rows);

        assertThat(policy.keep(sequences(BATCH), 1, BATCH, BATCH)).isZero();
        assertThat(policy.worthARow(0.5, 1, 1, BATCH, BATCH)).isFalse();
    }

    @Test
    void keepsTheSequencesThatAreLikeliestToGoOn() {
        // A pass costs 100 up to 4 rows, then 60 for each further one.
        DraftPolicy policy = policy(rows -> rows == 0 ? 0 : 100 + 60.0 * Math.max(0, rows - 4));
        List<Sequence> sequences = sequences(4);
        sequences.get(0).addDraft(5, 0.1, 0.01);
        sequences.get(1).addDraft(5, 0.9, 0.95);
        Sequence hopeless = sequences.get(0);

        int kept = policy.keep(sequences, 1, 4, 4);

        assertThat(sequences.subList(0, kept)).doesNotContain(hopeless);
        assertThat(sequences.get(3)).isSameAs(hopeless);
    }

    @Test
    void keepsAFixedLengthWhateverItCosts() {
        DraftPolicy policy = policy(rows -> 100.0 * rows);
        List<Sequence> sequences = sequences(2);
        sequences.add(sequence(OptionalInt.of(5)));

        assertThat(policy.keep(sequences, 1, 3, 3)).isEqualTo(1);
        assertThat(sequences.get(0).draftsAutomatically()).isFalse();
    }

    @Test
    void learnsWhatAConfidenceIsWorth() {
        DraftPolicy policy = policy(rows -> 100 + rows);
        Sequence sequence = sequence(OptionalInt.empty());
        double before = policy.acceptance(sequence, 0.92);
        for (int i = 0; i < 200; i++) {
            policy.observe(0.92, i % 4 == 0);
        }

        assertThat(before).isCloseTo(0.92, within(1e-9));
        assertThat(policy.acceptance(sequence, 0.92)).isBetween(0.2, 0.45);
        assertThat(policy.acceptance(sequence, 0.5)).isCloseTo(0.5, within(1e-9));
    }

    @Test
    void learnsWhatPassesReallyCost() {
        DraftPolicy policy = policy(rows -> 100 + 30.0 * rows);
        assertThat(policy.worthARow(0.6, 1, 1, 1, 1)).isTrue();

        // The early layers turn out to take as long as a round was thought to.
        for (int i = 0; i < 1_000; i++) {
            policy.spend(0, 1, 400_000);
        }

        assertThat(policy.worthARow(0.6, 1, 1, 1, 1)).isFalse();
    }

    @Test
    void triesDraftingAgainAfterItDidNotPay() {
        DraftPolicy policy = policy(rows -> 100 + 30.0 * rows);
        for (int i = 0; i < 500; i++) {
            policy.observe(0.5, false);
        }
        assertThat(policy.keep(sequences(1), 1, 1, 1)).isZero();

        int rounds = 0;
        while (policy.keep(sequences(1), 1, 1, 1) == 0) {
            policy.endRound(1, 1);
            rounds++;
        }
        assertThat(rounds).isBetween(1, 2_000);
        assertThat(policy.worthARow(0.1, 1, 1, 1, 1)).isTrue();

        policy.endRound(1, 1);
        assertThat(policy.keep(sequences(1), 1, 1, 1)).isZero();
    }

    @Test
    void findsOutThatDraftingPaysIfTheMachineWasBusyWhenItWasMeasured() {
        // Every pass of more than a row seemed to take ten times as long.
        DraftPolicy policy = policy(rows -> rows < 2 ? 100 * rows : 1_000 + rows);
        assertThat(policy.keep(sequences(1), 1, 1, 1)).isZero();

        for (int i = 0; i < 5_000; i++) {
            round(policy, policy.keep(sequences(1), 1, 1, 1) == 0 ? 1 : 3);
        }

        for (int i = 0; i < 10; i++) {
            assertThat(policy.keep(sequences(1), 1, 1, 1)).isEqualTo(1);
            round(policy, 3);
        }
    }

    /** A round whose passes take what they take on an idle machine. */
    private static void round(DraftPolicy policy, int rows) {
        policy.spend(0, 1, 25_000);
        policy.spendHead(rows, 25_000 + 250 * rows);
        policy.spend(1, rows, 250_000 + 2_500 * rows);
        policy.endRound(1, rows);
    }

    /**
     * The remaining layers cost ten times as much as the early ones, which cost what the head does.
     */
    private static DraftPolicy policy(IntToDoubleFunction cost) {
        return new DraftPolicy(
                new PassCosts(List.of(curve(cost, 0.25), curve(cost, 2.5)), curve(cost, 0.25)),
                BATCH);
    }

    private static CostCurve curve(IntToDoubleFunction cost, double share) {
        int[] sizes = IntStream.rangeClosed(1, LayerSkipModel.MAX_ROWS).toArray();
        return new CostCurve(
                sizes,
                Arrays.stream(sizes)
                        .mapToDouble(rows -> share * cost.applyAsDouble(rows))
                        .toArray());
    }

    private static List<Sequence> sequences(int count) {
        List<Sequence> sequences = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            sequences.add(sequence(OptionalInt.empty()));
        }
        return sequences;
    }

    private static Sequence sequence(OptionalInt numAssistantTokens) {
        Sequence sequence =
                new Sequence(
                        new int[] {3},
                        40,
                        new Sequence.Drafting(1, numAssistantTokens, 0),
                        Set.of(1),
                        new Sampling(0, 0, 1),
                        0,
                        new KeyValueCache(memory));
        sequence.startRound(8);
        return sequence;
    }
}
