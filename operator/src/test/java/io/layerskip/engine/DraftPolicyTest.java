package io.layerskip.engine;

import static org.assertj.core.api.Assertions.assertThat;

import io.layerskip.forward.KeyValueCache;
import io.layerskip.forward.KeyValueCacheType;
import io.layerskip.forward.KeyValueMemory;
import io.layerskip.forward.LayerSkipModel;
import io.layerskip.model.BundledModel;
import io.layerskip.model.Checkpoint;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.IntToDoubleFunction;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class DraftPolicyTest {

    private static final int BATCH = 16;

    private static final Sampling GREEDY = new Sampling(0, 0, 1);

    private static KeyValueMemory memory;

    @BeforeAll
    static void readConfig() throws Exception {
        try (Checkpoint checkpoint = Checkpoint.open(BundledModel.folder())) {
            memory = new KeyValueMemory(checkpoint.config(), KeyValueCacheType.FLOAT32, 1L << 28);
        }
    }

    @Test
    void draftsWhereFurtherRowsAreCheap() {
        DraftPolicy policy = policy(rows -> 100 + rows);

        assertThat(keep(policy, turns(1))).isEqualTo(1);
        assertThat(takeRow(policy, 0.5, 1)).isTrue();
    }

    @Test
    void draftsNothingWhereEveryRowCostsItsShare() {
        DraftPolicy policy = policy(rows -> 100.0 * rows);

        assertThat(keep(policy, turns(BATCH))).isZero();
        assertThat(takeRow(policy, 0.5, BATCH)).isFalse();
    }

    @Test
    void keepsTheTurnsThatAreLikeliestToGoOn() {
        // A pass costs 100 up to 4 rows, then 60 for each further one.
        DraftPolicy policy = policy(rows -> rows == 0 ? 0 : 100 + 60.0 * Math.max(0, rows - 4));
        List<Turn> turns = turns(4);
        turns.get(0).addDraft(5, 0.1, 0.01);
        turns.get(1).addDraft(5, 0.9, 0.95);
        Turn hopeless = turns.get(0);

        int kept = keep(policy, turns);

        assertThat(turns.subList(0, kept)).doesNotContain(hopeless);
        assertThat(turns.get(3)).isSameAs(hopeless);
    }

    @Test
    void keepsAFixedLengthWhateverItCosts() {
        DraftPolicy policy = policy(rows -> 100.0 * rows);
        List<Turn> turns = turns(2);
        turns.add(turn(OptionalInt.of(5), GREEDY));

        assertThat(keep(policy, turns)).isEqualTo(1);
        assertThat(turns.get(0).draftsAutomatically()).isFalse();
    }

    @Test
    void learnsWhatAConfidenceIsWorth() {
        DraftPolicy policy = policy(rows -> 100 + rows);
        Turn turn = turn(OptionalInt.empty(), GREEDY);
        double before = policy.acceptance(turn, 0.92);
        for (int i = 0; i < 200; i++) {
            policy.observe(1, 0.92, i % 4 == 0);
        }

        assertThat(before).isBetween(0.8, 0.92);
        assertThat(policy.acceptance(turn, 0.92)).isBetween(0.2, 0.4);
        assertThat(policy.acceptance(turn, 0.5)).isBetween(0.2, 0.4);
    }

    @Test
    void learnsWhatPassesReallyCost() {
        DraftPolicy policy = policy(rows -> 100 + 30.0 * rows);
        assertThat(takeRow(policy, 0.6, 1)).isTrue();

        // The early layers turn out to take as long as a round was thought to.
        for (int i = 0; i < 1_000; i++) {
            policy.passed(0, 1, 400_000);
        }

        assertThat(takeRow(policy, 0.6, 1)).isFalse();
    }

    @Test
    void triesDraftingAgainAfterItDidNotPay() {
        DraftPolicy policy = policy(rows -> 100 + 30.0 * rows);
        for (int i = 0; i < 500; i++) {
            policy.observe(1, 0.5, false);
        }
        assertThat(keep(policy, turns(1))).isZero();

        int rounds = 0;
        while (keep(policy, turns(1)) == 0) {
            policy.endRound(false, 1);
            rounds++;
        }
        assertThat(rounds).isBetween(1, 2_000);
        assertThat(policy.takeRow(turn(OptionalInt.empty(), GREEDY), 0.1, 1)).isTrue();

        policy.endRound(false, 1);
        assertThat(keep(policy, turns(1))).isZero();
    }

    @Test
    void findsOutInTheFirstRoundsThatDraftsOfLowConfidenceAreAccepted() {
        DraftPolicy policy = policy(rows -> 100 + rows);
        int drafts = 0;
        for (int round = 0; round < 12; round++) {
            drafts = draft(policy, 0.01, 8);
            for (int i = 0; i < drafts; i++) {
                policy.observe(1, 0.01, true);
            }
            policy.endRound(false, 1 + drafts);
        }

        assertThat(drafts).isGreaterThan(3);
    }

    @Test
    void findsOutInTheFirstRoundsThatDraftsAreRefused() {
        DraftPolicy policy = policy(rows -> 100 + 30.0 * rows);
        int drafts = 0;
        for (int round = 0; round < 24; round++) {
            drafts = draft(policy, 0.9, 8);
            if (drafts > 0) {
                policy.observe(1, 0.9, false);
            }
            policy.endRound(false, 1);
        }

        assertThat(drafts).isZero();
    }

    @Test
    void probesEverMoreSeldomWhatNeverPays() {
        DraftPolicy policy = policy(rows -> 100 + 30.0 * rows);
        for (int i = 0; i < 500; i++) {
            policy.observe(1, 0.5, false);
        }
        int probes = 0;
        for (int round = 0; round < 2_000; round++) {
            if (draft(policy, 0.5, 8) > 0) {
                policy.observe(1, 0.5, false);
                probes++;
            }
            policy.endRound(false, 1);
        }

        assertThat(probes).isBetween(5, 10);
    }

    @Test
    void takesTheExitThatPaysMost() {
        CostCurve layers = curve(rows -> 100 + rows, 1);
        DraftPolicy policy =
                new DraftPolicy(
                        new PassCosts(
                                List.of(layers, layers, layers),
                                curve(rows -> 100 + rows, 0.25),
                                Optional.empty(),
                                new ChoiceCosts(0.1, 0.1, 0.1)),
                        BATCH);
        policy.beginRound(1, 1);
        assertThat(policy.exit()).isEqualTo(1);
        for (int i = 0; i < 40; i++) {
            policy.observe(1, 0.5, i % 5 == 0);
        }
        assertThat(policy.exit()).isEqualTo(2);
        for (int i = 0; i < 40; i++) {
            policy.observe(2, 0.5, true);
        }
        assertThat(policy.exit()).isEqualTo(2);
        for (int i = 0; i < 200; i++) {
            policy.observe(1, 0.5, true);
        }
        assertThat(policy.exit()).isEqualTo(1);
    }

    /** Drafts of a sequence alone whose tokens all have that confidence; returns how many. */
    private static int draft(DraftPolicy policy, double confidence, int most) {
        policy.beginRound(1, 1);
        Turn turn = turn(OptionalInt.empty(), GREEDY);
        while (turn.draftCount() < most && policy.keep(new ArrayList<>(List.of(turn))) == 1) {
            double acceptance = policy.acceptance(turn, confidence);
            if (!policy.takeRow(turn, acceptance, 1)) {
                break;
            }
            turn.addDraft(5, confidence, acceptance);
        }
        return turn.draftCount();
    }

    @Test
    void draftsNoTokensWhoseDrawingCostsMoreThanTheyBring() {
        Sampling drawn = new Sampling(1, 0, 1);
        DraftPolicy policy = policy(rows -> 100 + rows);
        Turn greedy = turn(OptionalInt.empty(), GREEDY);
        Turn sampled = turn(OptionalInt.empty(), drawn);
        for (int i = 0; i < 20; i++) {
            policy.observe(1, 0.9, true);
        }
        assertThat(keep(policy, new ArrayList<>(List.of(sampled)))).isEqualTo(1);

        // To draw a token turns out to take as long as the whole model.
        for (int i = 0; i < 1_000; i++) {
            policy.beginRound(1, 1);
            policy.chose(sampled, true, 300_000);
        }

        assertThat(keep(policy, new ArrayList<>(List.of(sampled)))).isZero();
        assertThat(policy.takeRow(sampled, 0.9, 1)).isFalse();
        assertThat(keep(policy, new ArrayList<>(List.of(greedy)))).isEqualTo(1);
    }

    @Test
    void findsOutThatDraftingPaysIfTheMachineWasBusyWhenItWasMeasured() {
        // Every pass of more than a row seemed to take ten times as long.
        DraftPolicy policy = policy(rows -> rows < 2 ? 100 * rows : 1_000 + rows);
        assertThat(keep(policy, turns(1))).isZero();

        for (int i = 0; i < 5_000; i++) {
            round(policy, keep(policy, turns(1)) == 0 ? 1 : 3);
        }

        for (int i = 0; i < 10; i++) {
            assertThat(keep(policy, turns(1))).isEqualTo(1);
            round(policy, 3);
        }
    }

    /** A round whose passes take what they take on an idle machine. */
    private static void round(DraftPolicy policy, int rows) {
        policy.passed(0, 1, 25_000);
        policy.passed(2, rows, 25_000 + 250 * rows);
        policy.passed(1, rows, 250_000 + 2_500 * rows);
        policy.endRound(false, rows);
    }

    /**
     * The remaining layers cost ten times as much as the early ones, which cost what the head does.
     */
    private static DraftPolicy policy(IntToDoubleFunction cost) {
        return new DraftPolicy(
                new PassCosts(
                        List.of(curve(cost, 0.25), curve(cost, 2.5)),
                        curve(cost, 0.25),
                        Optional.empty(),
                        new ChoiceCosts(0.1, 0.1, 0.1)),
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

    /** Has the policy decide who goes on, in a round of these turns alone. */
    private static int keep(DraftPolicy policy, List<Turn> turns) {
        policy.beginRound(turns.size(), turns.size());
        return policy.keep(turns);
    }

    /** Whether the policy takes a row of one of so many turns. */
    private static boolean takeRow(DraftPolicy policy, double acceptance, int turns) {
        policy.beginRound(turns, turns);
        return policy.takeRow(turn(OptionalInt.empty(), GREEDY), acceptance, 1);
    }

    private static List<Turn> turns(int count) {
        List<Turn> turns = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            turns.add(turn(OptionalInt.empty(), GREEDY));
        }
        return turns;
    }

    private static Turn turn(OptionalInt numAssistantTokens, Sampling sampling) {
        Turn turn =
                new Turn(
                        new Sequence(
                                new int[] {3},
                                40,
                                new Sequence.Drafting(OptionalInt.of(1), numAssistantTokens, 0),
                                Set.of(1),
                                sampling,
                                0,
                                new KeyValueCache(memory)));
        turn.begin(1, 8);
        turn.enterAt(1);
        return turn;
    }
}
