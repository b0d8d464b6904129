package io.layerskip.engine;

import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;
import java.util.stream.IntStream;

/**
 * A request in the engine. All but {@link #abort}, {@link #result} and {@link #progress} belongs to
 * the engine's thread.
 */
final class ActiveGeneration implements Generation {

    private final GenerationRequest request;
    private final Consumer<TextChunk> listener;
    private final boolean watched;
    private final CompletableFuture<GenerationResult> result = new CompletableFuture<>();
    private final GenerationProgress resumed;
    private final long submitted;

    private volatile GenerationFailure aborted;

    private Sequence sequence;
    private CompletionText text;
    private long timeToFirstToken;

    /**
     * @param resumed what an earlier generation of this request has written
     * @param watched whether the listener wants the text while it is written
     */
    ActiveGeneration(
            GenerationRequest request,
            GenerationProgress resumed,
            Consumer<TextChunk> listener,
            boolean watched) {
        this.request = request;
        this.resumed = resumed;
        this.submitted = System.nanoTime() - resumed.statistics().totalNanos();
        this.timeToFirstToken = resumed.statistics().timeToFirstTokenNanos();
        this.listener = listener;
        this.watched = watched || !request.parameters().stop().isEmpty();
    }

    @Override
    public CompletableFuture<GenerationResult> result() {
        return result;
    }

    @Override
    public void abort(GenerationFailure failure) {
        aborted = failure;
    }

    @Override
    public synchronized GenerationProgress progress() {
        return started() ? new GenerationProgress(completion(), statistics()) : resumed;
    }

    GenerationRequest request() {
        return request;
    }

    boolean started() {
        return sequence != null;
    }

    /** Starts, or goes on from where an earlier generation was. */
    synchronized void start(Sequence sequence, CompletionText text) {
        if (sequence.canResume(resumed.tokenIds())) {
            sequence.resume(resumed);
        }
        this.sequence = sequence;
        this.text = text;
    }

    Sequence sequence() {
        return sequence;
    }

    boolean isDone() {
        return result.isDone();
    }

    /**
     * Writes what a round brought, and completes the result if that is the end: nobody sees the
     * last token written and no result.
     *
     * @param counter counts them too, before anybody sees the result
     * @return how many tokens were written
     */
    synchronized int accept(DraftPolicy policy, LongAdder counter) {
        int written = sequence.accept(policy, this::wrote);
        counter.add(written);
        if (written > 0 && (text.stopped() || sequence.ended())) {
            complete();
        }
        return written;
    }

    void checkAborted() throws RequestFailedException {
        if (aborted != null) {
            throw new RequestFailedException(aborted.kind(), aborted.message());
        }
    }

    private void complete() {
        publish(text.finish(sequence.tokens(), sequence.length()), false);
        boolean stopped = text.stopped() || sequence.ends(sequence.lastToken());
        free();
        result.complete(
                result(stopped ? FinishReason.STOP : FinishReason.LENGTH, Optional.empty()));
    }

    /** Completes the result with a failure and what was written before it. */
    void fail(GenerationFailure failure) {
        if (!started()) {
            result.complete(GenerationResult.failed(request, failure));
            return;
        }
        try {
            text.finish(sequence.tokens(), sequence.length());
        } catch (RuntimeException e) {
            // Decoding may be what failed; then the text that came before it has to do.
        }
        free();
        result.complete(result(FinishReason.ERROR, Optional.of(failure)));
    }

    /** Ends without a result: the engine cannot go on. */
    void abandon(EngineFailedException failure) {
        free();
        result.completeExceptionally(failure);
    }

    private void free() {
        if (started()) {
            sequence.close();
        }
    }

    private boolean wrote(boolean drafted) {
        if (timeToFirstToken == 0) {
            timeToFirstToken = System.nanoTime() - submitted;
        }
        if (watched) {
            publish(text.advance(sequence.tokens(), sequence.length()), drafted);
        }
        return !text.stopped();
    }

    private void publish(String written, boolean drafted) {
        if (!written.isEmpty()) {
            listener.accept(new TextChunk(written, drafted));
        }
    }

    private GenerationResult result(FinishReason reason, Optional<GenerationFailure> failure) {
        return new GenerationResult(
                request.id(),
                text.text(),
                completion(),
                reason,
                statistics(),
                failure,
                request.attachment());
    }

    private List<Integer> completion() {
        return IntStream.range(sequence.promptLength(), sequence.length())
                .mapToObj(i -> sequence.tokens()[i])
                .toList();
    }

    private GenerationStatistics statistics() {
        return new GenerationStatistics(
                sequence.promptLength(),
                sequence.cachedPromptTokens(),
                sequence.completionLength(),
                sequence.drafted(),
                sequence.accepted(),
                sequence.rounds(),
                timeToFirstToken,
                System.nanoTime() - submitted);
    }
}
