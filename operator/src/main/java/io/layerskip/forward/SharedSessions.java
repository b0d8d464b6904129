package io.layerskip.forward;

import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import io.layerskip.model.Checkpoint;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.concurrent.ForkJoinPool;

/**
 * What the models of a process have in common that are cut alike: the sessions, which hold the
 * weights, and the threads that attention is computed with. Thread-safe.
 */
final class SharedSessions implements AutoCloseable {

    private final List<Segment> segments = new ArrayList<>();
    private final List<OrtSession> sessions = new ArrayList<>();
    private final OrtSession head;
    private final Optional<HeadCodes> headCodes;
    private final ForkJoinPool attentionPool;

    /**
     * Sessions over the layers [from, to): one before each attention and one after the last.
     *
     * @param sessions one more than there are layers
     */
    record Segment(int from, int to, List<OrtSession> sessions) {}

    /**
     * Builds the sessions, which takes seconds for a large model.
     *
     * @throws IOException if quantized weights cannot be made, written or read, or the thread is
     *     interrupted
     * @throws ForwardException if ONNX Runtime cannot build a session
     */
    SharedSessions(
            Checkpoint checkpoint,
            SortedSet<Integer> exitLayers,
            Precision precision,
            Optional<Path> cacheFolder,
            PassThreads threads,
            LoadListener listener)
            throws IOException {
        attentionPool = new ForkJoinPool(threads.together());
        try (ModelSessions built =
                ModelSessions.open(checkpoint, precision, cacheFolder, threads, listener)) {
            SortedSet<Integer> ends = new TreeSet<>(exitLayers);
            ends.add(checkpoint.config().numHiddenLayers());
            sessions.addAll(built.build(ends, listener));
            head = sessions.get(0);
            int next = 1;
            int from = 0;
            for (int to : ends) {
                int end = next + to - from + 1;
                segments.add(new Segment(from, to, sessions.subList(next, end)));
                next = end;
                from = to;
            }
            headCodes = built.headCodes();
        } catch (IOException | RuntimeException | Error e) {
            try {
                close();
            } catch (ForwardException suppressed) {
                e.addSuppressed(suppressed);
            }
            throw e;
        }
    }

    /** In the order in which a pass takes them. */
    List<Segment> segments() {
        return segments;
    }

    /** Final norm and language model head. */
    OrtSession head() {
        return head;
    }

    /** What drafts are found by; empty where the head itself is as fast. */
    Optional<HeadCodes> headCodes() {
        return headCodes;
    }

    /** For attention and the draft head; as many threads as compute at the same time. */
    ForkJoinPool attentionPool() {
        return attentionPool;
    }

    /**
     * Frees everything, whatever fails on the way; nobody may be in a pass.
     *
     * @throws ForwardException if a session could not be freed
     */
    @Override
    public void close() {
        attentionPool.shutdown();
        List<OrtException> failures = new ArrayList<>();
        for (OrtSession session : sessions) {
            try {
                session.close();
            } catch (OrtException e) {
                failures.add(e);
            }
        }
        if (!failures.isEmpty()) {
            throw new ForwardException("cannot free the sessions: " + failures, failures.get(0));
        }
    }
}
