package io.layerskip.flink;

import io.layerskip.engine.GenerationRequest;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

/**
 * Which requests the operators take whose state a task's thread restores.
 *
 * <p>Flink reads the union list state of all subtasks into the heap of each, with a serializer that
 * it makes from the checkpoint and that knows of no subtask. All that the serializer and the
 * operator have in common is the thread, so the operator leaves here what it would take, from its
 * construction until its state is restored. With that, requests of others become garbage one by
 * one, and do not stand on the heap together. It only saves memory: the operator looks at what it
 * is given all the same, and a thread with nothing noted leaves nothing out.
 */
final class RestoringThread {

    private static final ThreadLocal<List<Predicate<GenerationRequest>>> TAKEN =
            ThreadLocal.withInitial(ArrayList::new);

    private RestoringThread() {}

    /** Notes what an operator takes that this thread is about to restore. */
    static void begin(Predicate<GenerationRequest> taken) {
        TAKEN.get().add(taken);
    }

    /** Notes that its state is restored. */
    static void end(Predicate<GenerationRequest> taken) {
        TAKEN.get().remove(taken);
        if (TAKEN.get().isEmpty()) {
            TAKEN.remove();
        }
    }

    /**
     * Whether no operator on this thread takes a request. Which of several in a chain it belongs to
     * is not known, so each is asked.
     */
    static boolean leavesToOthers(GenerationRequest request) {
        List<Predicate<GenerationRequest>> taken = TAKEN.get();
        return !taken.isEmpty() && taken.stream().noneMatch(operator -> takes(operator, request));
    }

    /** One that an operator can say nothing of may be another's, or is refused by it later. */
    private static boolean takes(Predicate<GenerationRequest> operator, GenerationRequest request) {
        try {
            return operator.test(request);
        } catch (RuntimeException e) {
            return true;
        }
    }
}
