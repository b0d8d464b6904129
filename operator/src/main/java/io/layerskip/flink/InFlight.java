package io.layerskip.flink;

import io.layerskip.engine.Generation;
import io.layerskip.engine.GenerationProgress;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.flink.streaming.api.functions.async.ResultFuture;

/**
 * The requests whose results have not left the operator, in the order in which they came. Belongs
 * to the task's thread.
 */
final class InFlight {

    private final boolean ordered;
    private final Map<ResultFuture<?>, Request> requests = new LinkedHashMap<>();

    private static final class Request {
        private final String key;
        private final Generation generation;
        private boolean answered;

        private Request(String key, Generation generation) {
            this.key = key;
            this.generation = generation;
        }

        /** Empty if there is nothing to go on from. */
        private Optional<SavedGeneration> save() {
            // In this order: one that has its last token by now has its result too.
            GenerationProgress progress = generation.progress();
            if (generation.result().isDone()) {
                return generation.result().isCompletedExceptionally()
                        ? Optional.empty()
                        : Optional.of(SavedGeneration.ended(key, generation.result().join()));
            }
            return progress.tokenIds().isEmpty()
                    ? Optional.empty()
                    : Optional.of(SavedGeneration.underWay(key, progress));
        }
    }

    /**
     * @param ordered whether results leave in the order of their requests, so that one may wait for
     *     others
     */
    InFlight(boolean ordered) {
        this.ordered = ordered;
    }

    void add(ResultFuture<?> future, String key, Generation generation) {
        requests.put(future, new Request(key, generation));
    }

    /** The generation that answers a future; empty if it is answered. */
    Optional<Generation> generation(ResultFuture<?> future) {
        return Optional.ofNullable(requests.get(future)).map(request -> request.generation);
    }

    /** Notes that the operator has a result: it lets it go, now or when its turn comes. */
    void answered(ResultFuture<?> future) {
        if (!ordered) {
            requests.remove(future);
            return;
        }
        requests.get(future).answered = true;
        Iterator<Request> oldest = requests.values().iterator();
        while (oldest.hasNext() && oldest.next().answered) {
            oldest.remove();
        }
    }

    /** What a checkpoint has to keep of all of them. */
    List<SavedGeneration> save() {
        List<SavedGeneration> saved = new ArrayList<>();
        requests.values().forEach(request -> request.save().ifPresent(saved::add));
        return saved;
    }
}
