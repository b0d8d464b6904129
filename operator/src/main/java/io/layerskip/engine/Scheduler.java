package io.layerskip.engine;

import io.layerskip.forward.KeyValueBlock;
import io.layerskip.forward.LayerSkipModel;
import io.layerskip.forward.PrefixCache;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;

/**
 * Decides who takes part in a round, with which part of a prompt, and in whose memory.
 *
 * <p>Requests join between rounds, in the order in which they came, and leave when they are done. A
 * prompt is taken in parts beside those that decode, so that a long one does not stall them;
 * beginnings that prompts have in common are computed once. When the memory for keys and values is
 * full, requests wait. If those under way need more, the youngest gives up the end of its cache,
 * block by block as others need it, and waits with the rest until there is room again. Not
 * thread-safe.
 */
final class Scheduler {

    /** Most tokens of prompts in a round beside sequences that decode, which they hold up. */
    private static final int PROMPT_TOKENS_BESIDE_OTHERS = 64;

    /** Rows of a round that are left to prompts; the others are left to decoding. */
    private static final int PROMPT_TOKENS = LayerSkipModel.MAX_ROWS / 2;

    private final int maxBatchSize;
    private final PrefixCache prefixes;

    /** Oldest first; those that had to give memory up stand in front of those that are new. */
    private final Deque<ActiveGeneration> waiting = new ArrayDeque<>();

    /** Oldest first; all of them are older than those that wait and hold memory. */
    private final List<ActiveGeneration> active = new ArrayList<>();

    private final List<ActiveGeneration> round = new ArrayList<>();

    private long preemptions;

    /**
     * @param maxBatchSize most requests that are under way together
     */
    Scheduler(int maxBatchSize, PrefixCache prefixes) {
        this.maxBatchSize = maxBatchSize;
        this.prefixes = prefixes;
    }

    /** Adds a request that was prepared, as the youngest. */
    void add(ActiveGeneration generation) {
        waiting.add(generation);
    }

    /** How many requests wait. */
    int waiting() {
        return waiting.size();
    }

    /** How many are under way. */
    int running() {
        return active.size();
    }

    /** How often one that was under way had to wait again. */
    long preemptions() {
        return preemptions;
    }

    /** Whether there is no request at all. */
    boolean isEmpty() {
        return waiting.isEmpty() && active.isEmpty();
    }

    /** Whether another request could be under way beside those that are and those that wait. */
    boolean hasPlace() {
        return waiting.size() + active.size() < maxBatchSize;
    }

    /**
     * Begins a round.
     *
     * @return those that take part: their turns have begun, and there is room in their caches
     */
    List<ActiveGeneration> begin() {
        waiting.removeIf(ActiveGeneration::endIfAborted);
        active.removeIf(ActiveGeneration::endIfAborted);
        admit();
        share();
        return round;
    }

    private void admit() {
        while (active.size() < maxBatchSize && !waiting.isEmpty()) {
            if (!active.isEmpty() && !hasRoomFor(waiting.element())) {
                return;
            }
            ActiveGeneration generation = waiting.remove();
            generation.admitted();
            active.add(generation);
        }
    }

    /**
     * Whether a request could join. The first two times, room for its next step is enough; after
     * that there must be room for all that it and those under way may ever need, so that nobody is
     * preempted again and again.
     */
    private boolean hasRoomFor(ActiveGeneration generation) {
        int needed = blocks(generation.sequence().length() + 1) - held(generation);
        if (generation.preemptions() < 2) {
            return prefixes.hasRoom(needed + active.size());
        }
        int mostNeeded = mostNeeded(generation);
        for (ActiveGeneration other : active) {
            mostNeeded += mostNeeded(other);
        }
        return prefixes.hasRoom(mostNeeded);
    }

    private static int mostNeeded(ActiveGeneration generation) {
        return blocks(generation.sequence().maxLength()) - held(generation);
    }

    private static int held(ActiveGeneration generation) {
        return blocks(generation.sequence().cache().capacity());
    }

    private static int blocks(int tokens) {
        return (tokens + KeyValueBlock.TOKENS - 1) / KeyValueBlock.TOKENS;
    }

    /** Gives everyone their part of the round, and the memory that they may need for it. */
    private void share() {
        round.clear();
        int promptTokens = PROMPT_TOKENS;
        for (ActiveGeneration generation : active) {
            if (generation.sequence().prefilled()) {
                promptTokens = PROMPT_TOKENS_BESIDE_OTHERS;
            }
        }
        int mostDrafts = (LayerSkipModel.MAX_ROWS - PROMPT_TOKENS) / Math.max(1, active.size()) - 1;
        // Whoever gives way leaves from the end, so those before stay where they are.
        for (int i = 0; i < active.size(); i++) {
            Turn turn = active.get(i).turn();
            Sequence sequence = turn.sequence();
            if (!sequence.prefilled() && promptTokens == 0) {
                continue;
            }
            if (sequence.cached() == 0) {
                // It may hold a block that it got while it waited, with nothing in it.
                sequence.cache().close();
                // The last token's logits are needed, so it always goes through the model.
                sequence.foundInCache(
                        prefixes.load(sequence.tokens(), sequence.length() - 1, sequence.cache()));
            }
            turn.begin(sequence.prefilled() ? 1 : promptTokens, mostDrafts);
            if (!reserve(active.get(i))) {
                return;
            }
            promptTokens -= turn.isPrefill() ? turn.pending() : 0;
            round.add(active.get(i));
        }
    }

    /**
     * Makes room for what a sequence may write in this round; the youngest gives up memory for it.
     *
     * @return false if there is none but what older ones hold: then it waits, and keeps what it has
     */
    private boolean reserve(ActiveGeneration generation) {
        while (!prefixes.reserve(
                generation.sequence().cache(), generation.turn().positionsNeeded())) {
            if (takeFromWaiting()) {
                continue;
            }
            ActiveGeneration youngest = active.remove(active.size() - 1);
            youngest.preempted();
            preemptions++;
            waiting.push(youngest);
            if (youngest == generation) {
                return false;
            }
        }
        return true;
    }

    /** Takes a block from the youngest of those that wait; returns whether one of them had any. */
    private boolean takeFromWaiting() {
        Iterator<ActiveGeneration> youngestFirst = waiting.descendingIterator();
        while (youngestFirst.hasNext()) {
            Sequence sequence = youngestFirst.next().sequence();
            if (sequence.cache().capacity() > 0) {
                sequence.giveUpBlock();
                return true;
            }
        }
        return false;
    }

    /**
     * Lets the other completions of a request join once its prompt is computed, with what was
     * computed: after the passes of a round, before what it brought is written.
     */
    void fork() {
        for (ActiveGeneration generation : round) {
            Turn turn = generation.turn();
            if (turn.isPrefill() && turn.writes() && turn.failure().isEmpty()) {
                List<ActiveGeneration> siblings = generation.handOverSiblings();
                for (int i = siblings.size() - 1; i >= 0; i--) {
                    Sequence sequence = siblings.get(i).sequence();
                    // The last token's logits are needed, so it goes through the model again.
                    sequence.foundInCache(
                            prefixes.fork(
                                    turn.cache(), sequence.promptLength() - 1, sequence.cache()));
                    waiting.push(siblings.get(i));
                }
            }
        }
    }

    /** Ends the round: keeps the prompts that are computed now for others that begin alike. */
    void end() {
        for (ActiveGeneration generation : round) {
            Turn turn = generation.turn();
            if (turn.isPrefill() && turn.writes() && !generation.isDone()) {
                Sequence sequence = generation.sequence();
                prefixes.store(sequence.tokens(), sequence.promptLength(), sequence.cache());
            }
        }
        active.removeIf(ActiveGeneration::isDone);
    }

    /** Ends all requests without a result. */
    void abandon(EngineFailedException reason) {
        active.forEach(generation -> generation.abandon(reason));
        active.clear();
        waiting.forEach(generation -> generation.abandon(reason));
        waiting.clear();
    }
}
