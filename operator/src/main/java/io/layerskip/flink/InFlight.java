package io.layerskip.flink;

import io.layerskip.engine.Generation;
import io.layerskip.engine.GenerationProgress;
import io.layerskip.engine.GenerationRequest;
import java.util.IdentityHashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.apache.flink.streaming.api.functions.async.ResultFuture;

/**
 * The requests whose results have not left the operator, in the order in which they came. Belongs
 * to the task's thread.
 */
final class InFlight {

    private final boolean ordered;
    private final long capacityBytes;
    private final Map<ResultFuture<?>, Request> requests = new LinkedHashMap<>();

    /** Of all of them together; any thread may read it. */
    private volatile long bytes;

    private static final class Request {
        private final GenerationRequest request;
        private final String key;
        private final long bytes;
        private final Generation generation;
        private boolean answered;

        private Request(GenerationRequest request, String key, long bytes, Generation generation) {
            this.request = request;
            this.key = key;
            this.bytes = bytes;
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
     * @param capacityBytes most bytes of the heap that they may take together
     */
    InFlight(boolean ordered, long capacityBytes) {
        this.ordered = ordered;
        this.capacityBytes = capacityBytes;
    }

    /** Whether a request of this size may join; one that is larger than all room does alone. */
    boolean hasRoomFor(long more) {
        return requests.isEmpty() || more <= capacityBytes - bytes;
    }

    /** Bytes of the heap that they take together, at the most. Thread-safe. */
    long bytes() {
        return bytes;
    }

    /**
     * @param key what its text follows from
     * @param size bytes of the heap that it takes
     */
    void add(
            ResultFuture<?> future,
            GenerationRequest request,
            String key,
            long size,
            Generation generation) {
        requests.put(future, new Request(request, key, size, generation));
        bytes += size;
    }

    /** The generation that answers a future; empty if it is answered. */
    Optional<Generation> generation(ResultFuture<?> future) {
        return Optional.ofNullable(requests.get(future)).map(request -> request.generation);
    }

    /** Notes that the operator has a result: it lets it go, now or when its turn comes. */
    void answered(ResultFuture<?> future) {
        if (!ordered) {
            bytes -= requests.remove(future).bytes;
            return;
        }
        requests.get(future).answered = true;
        Iterator<Request> oldest = requests.values().iterator();
        while (oldest.hasNext()) {
            Request next = oldest.next();
            if (!next.answered) {
                return;
            }
            bytes -= next.bytes;
            oldest.remove();
        }
    }

    /** What a checkpoint has to keep beside the requests, by the very objects. */
    Map<GenerationRequest, SavedGeneration> save() {
        Map<GenerationRequest, SavedGeneration> saved = new IdentityHashMap<>();
        for (Request request : requests.values()) {
            request.save().ifPresent(generation -> saved.put(request.request, generation));
        }
        return saved;
    }
}
