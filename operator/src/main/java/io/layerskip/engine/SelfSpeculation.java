package io.layerskip.engine;

import static io.layerskip.forward.LayerSkipModel.MAX_LOGIT_ROWS;

import io.layerskip.forward.ExitStates;
import io.layerskip.forward.LayerSkipModel;
import io.layerskip.forward.RaggedBatch;
import io.layerskip.forward.TokenRows;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;

/**
 * Self-speculative decoding of many sequences together: the first layers draft, the remaining ones
 * verify.
 *
 * <p>LayerSkip (Elhoushi et al., 2024), section 4.3, with the cache and the exit's hidden states
 * shared between the two. Draft and model choose by the same rule with the same random numbers, and
 * a draft is accepted if it is what the model chose. So the text is the model's own, whatever was
 * drafted: greedy or sampled, alone or in company. Plain decoding is a round without a draft.
 *
 * <p>Every pass takes rows of all sequences at once; prompts are taken in parts beside those that
 * decode. Not thread-safe.
 */
final class SelfSpeculation {

    private static final GenerationFailure NO_NUMBER =
            new GenerationFailure(
                    GenerationFailure.Kind.INTERNAL_ERROR,
                    "generation failed: the model's logits are no finite numbers");

    private final LayerSkipModel model;
    private final DraftPolicy policy;
    private final TokenDistribution distribution;
    private final LogitsProcessor processor = new LogitsProcessor();
    private final LogProbabilities logProbabilities = new LogProbabilities();
    private final ExitStates exitStates;
    private final RaggedBatch batch = new RaggedBatch();
    private final Questions drafts = new Questions(true, this::propose);
    private final Questions choices = new Questions(false, this::decide);

    /** Turns by the segment that they enter with the hidden states that left the early layers. */
    private final List<List<Turn>> entering = new ArrayList<>();

    private final List<Turn> drafting = new ArrayList<>();

    private long draftPasses;
    private long passes;
    private long rows;

    SelfSpeculation(LayerSkipModel model, DraftPolicy policy) {
        this(model, policy, new PassClock());
    }

    /**
     * @param clock shows how long the pass under way has taken
     */
    SelfSpeculation(LayerSkipModel model, DraftPolicy policy, PassClock clock) {
        this.model = model;
        this.policy = policy;
        this.distribution = new TokenDistribution(model.config().vocabSize());
        this.exitStates = new ExitStates(model);
        for (int segment = 0; segment < model.segments(); segment++) {
            entering.add(new ArrayList<>());
        }
        model.onPass(
                (pass, rows, nanos) -> {
                    clock.begin();
                    policy.passed(pass, rows, nanos);
                });
    }

    /**
     * One round: every turn, which has begun and has room in its cache, drafts and is verified.
     * What it writes stands in the turn.
     *
     * @param turns whose rows, drafts included, are at most {@link LayerSkipModel#MAX_ROWS}
     */
    void round(List<Turn> turns) {
        begin(turns);
        for (int segment = 1; segment < model.segments(); segment++) {
            draft(entering.get(segment));
        }
        verify();
        turns.forEach(this::accept);
    }

    /** Passes through early layers so far. */
    long draftPasses() {
        return draftPasses;
    }

    /** Passes through the remaining layers so far, one a round. */
    long passes() {
        return passes;
    }

    /** Rows of those: tokens of prompts, drafts, and the last token of each sequence. */
    long rows() {
        return rows;
    }

    private void begin(List<Turn> turns) {
        exitStates.clear();
        entering.forEach(List::clear);
        // A round that broke leaves questions that nobody asks any more.
        drafts.clear();
        choices.clear();
        policy.beginRound(turns.size(), turns.stream().mapToInt(Turn::pending).sum());
        int best = policy.exit();
        for (Turn turn : turns) {
            OptionalInt exit = turn.sequence().drafting().exitLayer();
            turn.enterAt(exit.isPresent() ? model.segmentAfter(exit.getAsInt()) : best);
            entering.get(turn.segment()).add(turn);
        }
    }

    /** Drafts with the early layers, a token of every turn at a time. */
    private void draft(List<Turn> turns) {
        forwardEarly(turns);
        drafting.clear();
        drafting.addAll(turns);
        drafting.removeIf(turn -> !turn.mayDraft());
        while (!drafting.isEmpty()) {
            drafting.subList(policy.keep(drafting), drafting.size()).clear();
            for (Turn turn : drafting) {
                drafts.ask(turn, turn.draftCount());
                exitStates.copy(turn.exitState(turn.rows() - 1), model.headInput(), drafts.row());
            }
            drafts.answer();
            drafting.removeIf(turn -> turn.rowsLeft() == 0);
            forwardEarly(drafting);
            drafting.removeIf(turn -> !turn.mayDraft());
        }
    }

    /** Has the remaining layers judge all rows in one pass, and the head say what follows each. */
    private void verify() {
        forwardRemainder();
        TokenRows states = model.states(model.segments());
        int row = 0;
        for (List<Turn> turns : entering) {
            for (Turn turn : turns) {
                for (int i = 0; i < turn.questions(); i++) {
                    choices.ask(turn, i);
                    model.headInput().write(choices.row(), states, row++);
                }
            }
        }
        choices.answer();
    }

    /** Drafts are accepted up to the first that the model would not have written. */
    private void accept(Turn turn) {
        if (turn.failure().isEmpty() && turn.writes()) {
            int judged = turn.accept();
            for (int draft = 0; draft < judged; draft++) {
                policy.observe(turn.segment(), turn.confidence(draft), turn.isAccepted(draft));
            }
        }
    }

    /**
     * Takes the rows that have yet to go through the early layers there, and keeps their states.
     */
    private void forwardEarly(List<Turn> turns) {
        batch.clear();
        for (Turn turn : turns) {
            int left = turn.rowsLeft();
            for (int i = 0; i < left; i++) {
                model.embed(turn.token(turn.rows() + i), batch.rows() + i);
            }
            if (left > 0) {
                batch.add(turn.cache(), turn.sequence().cached() + turn.rows(), left);
            }
        }
        if (batch.rows() == 0) {
            return;
        }
        int segment = turns.get(0).segment();
        model.forwardEarly(segment, batch);
        draftPasses++;
        int row = 0;
        for (Turn turn : turns) {
            for (int left = turn.rowsLeft(); left > 0; left--) {
                turn.addRow(exitStates.keep(model.states(segment), row++));
            }
        }
    }

    /** Takes all rows through the remaining layers, each turn's from its own exit on. */
    private void forwardRemainder() {
        batch.clear();
        for (int segment = 1; segment < model.segments(); segment++) {
            for (Turn turn : entering.get(segment)) {
                for (int row = 0; row < turn.rows(); row++) {
                    exitStates.copy(turn.exitState(row), model.states(segment), batch.rows() + row);
                }
                batch.add(turn.cache(), turn.sequence().cached(), turn.rows(), turn.questions());
            }
            if (segment < model.segments() - 1 && batch.rows() > 0) {
                model.forward(segment, batch);
            }
        }
        model.forwardLast(batch);
        passes++;
        rows += batch.rows();
    }

    /** Takes a row of the exit's logits, and drafts what they say if that is worth it. */
    private void propose(Turn turn, int drafts, TokenRows logits, int row) {
        adjust(turn, drafts, logits, row);
        boolean greedy = turn.sequence().sampling().greedy();
        OptionalInt token =
                greedy ? logits.argmax(row) : draw(turn.sequence(), drafts, logits, row);
        if (token.isEmpty() || greedy && !distribution.set(logits, row)) {
            turn.fail(NO_NUMBER);
            return;
        }
        double confidence = distribution.confidence();
        if (confidence < turn.sequence().drafting().confidenceThreshold()) {
            return;
        }
        double acceptance = policy.acceptance(turn, confidence);
        boolean ends = turn.sequence().ends(token.getAsInt());
        if (ends || policy.takeRow(turn, acceptance, drafting.size())) {
            turn.addDraft(token.getAsInt(), confidence, acceptance);
        }
    }

    /** Takes a row of the model's logits, and notes what the model writes. */
    private void decide(Turn turn, int drafts, TokenRows logits, int row) {
        if (turn.notesLogprobs()) {
            logProbabilities.set(logits, row);
        }
        boolean adjusted = adjust(turn, drafts, logits, row);
        OptionalInt token;
        if (!turn.sequence().sampling().greedy()) {
            token = draw(turn.sequence(), drafts, logits, row);
        } else {
            // The model's own answer knows nothing of what was changed.
            token = adjusted ? logits.argmax(row) : model.argmax(row);
        }
        if (token.isPresent()) {
            turn.choose(drafts, token.getAsInt());
            if (turn.notesLogprobs()) {
                turn.note(drafts, logProbabilities.note(token.getAsInt(), turn.likely()));
            }
        } else {
            turn.fail(NO_NUMBER);
        }
    }

    /** Changes a row as the request wants it; returns whether it wants that. */
    private boolean adjust(Turn turn, int drafts, TokenRows logits, int row) {
        if (turn.sequence().sampling().adjustment() == LogitsAdjustment.NONE) {
            return false;
        }
        processor.process(turn, drafts, logits, row);
        return true;
    }

    /** Draws what follows so many drafts: the same random numbers for draft and model. */
    private OptionalInt draw(Sequence sequence, int drafts, TokenRows logits, int row) {
        return distribution.set(logits, row, sequence.sampling())
                ? OptionalInt.of(distribution.sample(sequence.seed(), sequence.length() + drafts))
                : OptionalInt.empty();
    }

    /** Receives the head's answer to a question. */
    @FunctionalInterface
    private interface Answer {

        /**
         * @param draftsBefore that come before the token in question
         * @param logits [rows, vocab]
         */
        void take(Turn turn, int draftsBefore, TokenRows logits, int row);
    }

    /** Rows for the head, which takes a few at a time, and whose they are. */
    private final class Questions {

        private final boolean draft;
        private final Answer answer;
        private final Turn[] turns = new Turn[MAX_LOGIT_ROWS];
        private final int[] draftsBefore = new int[MAX_LOGIT_ROWS];
        private int count;

        /**
         * @param draft whether drafts are asked for, or what the model writes
         */
        Questions(boolean draft, Answer answer) {
            this.draft = draft;
            this.answer = answer;
        }

        void clear() {
            Arrays.fill(turns, null);
            count = 0;
        }

        /** Adds a question, whose hidden state has to be put into {@link #row} of the input. */
        void ask(Turn turn, int drafts) {
            if (count == MAX_LOGIT_ROWS) {
                answer();
            }
            turns[count] = turn;
            draftsBefore[count] = drafts;
            count++;
        }

        /** The last question's row of the head's input. */
        int row() {
            return count - 1;
        }

        /** Has the head answer the questions asked so far. */
        void answer() {
            if (count == 0) {
                return;
            }
            TokenRows logits =
                    draft && policy.usesDraftHead(count)
                            ? model.draftLogits(count)
                            : model.logits(count);
            for (int row = 0; row < count; row++) {
                long start = System.nanoTime();
                answer.take(turns[row], draftsBefore[row], logits, row);
                policy.chose(turns[row], draft, System.nanoTime() - start);
                turns[row] = null;
            }
            count = 0;
        }
    }
}
