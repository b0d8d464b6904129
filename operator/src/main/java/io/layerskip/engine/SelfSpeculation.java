package io.layerskip.engine;

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

    private final LayerSkipModel model;
    private final DraftPolicy policy;
    private final TokenDistribution distribution;
    private final RaggedBatch spans = new RaggedBatch();
    private final List<List<Sequence>> byExit = new ArrayList<>();
    private final List<Sequence> drafting = new ArrayList<>();

    /** Hidden states at the exits, in the order in which they were computed. */
    private final float[] exitStates;

    private int kept;

    /** Rows that are followed by something to write: where they stand, whose, and which. */
    private final int[] asking = new int[LayerSkipModel.MAX_ROWS];

    private final Sequence[] askers = new Sequence[LayerSkipModel.MAX_ROWS];
    private final int[] askedRows = new int[LayerSkipModel.MAX_ROWS];
    private int asked;

    SelfSpeculation(LayerSkipModel model, DraftPolicy policy) {
        this.model = model;
        this.policy = policy;
        this.distribution = new TokenDistribution(model.config().vocabSize());
        this.exitStates = new float[LayerSkipModel.MAX_ROWS * model.config().hiddenSize()];
        for (int i = 0; i <= model.segments(); i++) {
            byExit.add(new ArrayList<>());
        }
    }

    /**
     * One round: every sequence, which has started a round or a part of its prompt and has room in
     * its cache, drafts and is verified. What comes of it is taken with {@link Sequence#accept}.
     *
     * @param batch rows of all of them, drafts included, are at most {@link
     *     LayerSkipModel#MAX_ROWS}
     */
    void round(List<Sequence> batch) {
        byExit.forEach(List::clear);
        for (Sequence sequence : batch) {
            byExit.get(model.segmentAfter(sequence.exitLayer())).add(sequence);
        }
        kept = 0;
        int rows = 0;
        for (Sequence sequence : batch) {
            rows += sequence.rows();
        }
        for (int exit = 1; exit < byExit.size(); exit++) {
            if (!byExit.get(exit).isEmpty()) {
                rows = draft(byExit.get(exit), exit, batch.size(), rows);
            }
        }
        verify();
    }

    /**
     * Drafts with the early layers, a token of every sequence at a time. The exit's hidden states
     * of the last written tokens, the drafts and the parts of prompts are kept.
     *
     * @param rows that the remainder would take without drafts
     * @return rows that it has to take
     */
    private int draft(List<Sequence> sequences, int exit, int batchSize, int rows) {
        int planned = rows;
        spans.clear();
        drafting.clear();
        for (Sequence sequence : sequences) {
            for (int row = 0; row < sequence.rows(); row++) {
                model.embed(sequence.tokens()[sequence.cached() + row], spans.rows() + row);
            }
            spans.add(sequence.cache(), sequence.cached(), sequence.rows());
            if (sequence.mayDraft()) {
                drafting.add(sequence);
            }
        }
        forwardEarly(exit);
        int row = 0;
        for (Sequence sequence : sequences) {
            for (int i = 0; i < sequence.rows(); i++) {
                sequence.exitRow(i, keep(exit, row++));
            }
        }
        while (!drafting.isEmpty()) {
            int going = policy.keep(drafting, exit, batchSize, planned);
            drafting.subList(going, drafting.size()).clear();
            propose(exit, batchSize, planned);
            drafting.removeIf(sequence -> !sequence.awaitsRow());
            forwardDrafts(exit);
            planned += drafting.size();
            drafting.removeIf(sequence -> !sequence.mayDraft());
        }
        return planned;
    }

    /** Asks the head at the exit what follows the last row of each. */
    private void propose(int exit, int batchSize, int planned) {
        for (int from = 0; from < drafting.size(); from += LayerSkipModel.MAX_LOGIT_ROWS) {
            int count = Math.min(drafting.size() - from, LayerSkipModel.MAX_LOGIT_ROWS);
            for (int i = 0; i < count; i++) {
                Sequence sequence = drafting.get(from + i);
                int state = sequence.exitRow(sequence.rows() - 1);
                model.headInput().write(i, exitStates, state * model.headInput().width());
            }
            TokenRows logits = logits(count);
            for (int i = 0; i < count; i++) {
                Sequence sequence = drafting.get(from + i);
                try {
                    propose(sequence, logits, i, exit, batchSize, planned + from + i);
                } catch (ArithmeticException e) {
                    sequence.fail(e);
                }
            }
        }
    }

    private void propose(
            Sequence sequence, TokenRows logits, int row, int exit, int batchSize, int planned) {
        boolean greedy = sequence.sampling().greedy();
        int token =
                greedy
                        ? greatest(logits.argmax(row))
                        : sample(sequence, logits, row, sequence.length() + sequence.draftCount());
        double confidence =
                greedy ? TokenDistribution.confidence(logits, row) : distribution.confidence();
        if (confidence < sequence.confidenceThreshold()) {
            return;
        }
        double probability = policy.acceptance(sequence, confidence);
        double survival = sequence.survival() * probability;
        if (sequence.ends(token)
                || policy.worthARow(survival, exit, drafting.size(), batchSize, planned)) {
            sequence.addDraft(token, confidence, probability);
        }
    }

    /** Takes the tokens just drafted through the early layers. */
    private void forwardDrafts(int exit) {
        if (drafting.isEmpty()) {
            return;
        }
        spans.clear();
        for (Sequence sequence : drafting) {
            model.embed(sequence.lastDraft(), spans.rows());
            spans.add(sequence.cache(), sequence.cached() + sequence.rows(), 1);
        }
        forwardEarly(exit);
        for (int row = 0; row < drafting.size(); row++) {
            drafting.get(row).addRow(keep(exit, row));
        }
    }

    private void forwardEarly(int exit) {
        for (int segment = 0; segment < exit; segment++) {
            forward(segment);
        }
    }

    /** One segment over the spans, timed. */
    private void forward(int segment) {
        long start = System.nanoTime();
        model.forward(segment, spans);
        policy.spend(segment, spans.rows(), System.nanoTime() - start);
    }

    /** The last segment over the spans, timed; the rows that are asked about leave it. */
    private void forwardLast() {
        long start = System.nanoTime();
        model.forwardLast(spans, asking, asked);
        policy.spend(model.segments() - 1, spans.rows(), System.nanoTime() - start);
    }

    /** The head over the first rows of its input, timed. */
    private TokenRows logits(int count) {
        long start = System.nanoTime();
        TokenRows logits = model.logits(count);
        policy.spendHead(count, System.nanoTime() - start);
        return logits;
    }

    /** Keeps an exit's hidden state; returns where. */
    private int keep(int exit, int row) {
        TokenRows states = model.states(exit);
        states.read(row, exitStates, kept * states.width());
        return kept++;
    }

    /**
     * Takes all that the drafts left behind through the remaining layers, each sequence from its
     * own exit on, and chooses what the model writes behind every row.
     */
    private void verify() {
        spans.clear();
        for (int segment = 1; segment < model.segments(); segment++) {
            TokenRows states = model.states(segment);
            int row = spans.rows();
            for (Sequence sequence : byExit.get(segment)) {
                for (int i = 0; i < sequence.rows(); i++) {
                    states.write(row++, exitStates, sequence.exitRow(i) * states.width());
                }
                spans.add(sequence.cache(), sequence.cached(), sequence.rows());
            }
            if (segment < model.segments() - 1 && spans.rows() > 0) {
                forward(segment);
            }
        }
        ask();
        forwardLast();
        answer();
    }

    /** Collects the rows that the head is asked about: of a prompt, only the end. */
    private void ask() {
        asked = 0;
        int row = 0;
        for (List<Sequence> sequences : byExit) {
            for (Sequence sequence : sequences) {
                int rows = sequence.rows();
                int first = sequence.writes() ? sequence.pending() - 1 : rows;
                for (int i = first; i < rows; i++) {
                    asking[asked] = row + i;
                    askers[asked] = sequence;
                    askedRows[asked++] = i - first;
                }
                row += rows;
            }
        }
    }

    /** Has the head say what the model writes behind the rows, and chooses. */
    private void answer() {
        TokenRows states = model.states(model.segments());
        for (int from = 0; from < asked; from += LayerSkipModel.MAX_LOGIT_ROWS) {
            int count = Math.min(asked - from, LayerSkipModel.MAX_LOGIT_ROWS);
            for (int i = 0; i < count; i++) {
                model.headInput().write(i, states, from + i);
            }
            TokenRows logits = logits(count);
            for (int i = 0; i < count; i++) {
                Sequence sequence = askers[from + i];
                int row = askedRows[from + i];
                try {
                    sequence.choose(
                            row,
                            sequence.sampling().greedy()
                                    ? greatest(model.argmax(i))
                                    : sample(sequence, logits, i, sequence.length() + row));
                } catch (ArithmeticException e) {
                    sequence.fail(e);
                }
            }
        }
        Arrays.fill(askers, 0, asked, null);
    }

    private static int greatest(OptionalInt argmax) {
        return argmax.orElseThrow(() -> new ArithmeticException("the greatest logit is no number"));
    }

    /** Draws by the logits of a row: the same random numbers for draft and model. */
    private int sample(Sequence sequence, TokenRows logits, int row, int position) {
        distribution.set(logits, row, sequence.sampling());
        return distribution.sample(sequence.seed(), position);
    }
}
