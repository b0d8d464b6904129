package io.layerskip.engine;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;

/**
 * A request in the engine. {@link #abort}, {@link #result} and {@link #progress} are for any
 * thread; all else belongs to the thread that prepares it, and then to the engine's.
 */
final class ActiveGeneration implements Generation {

    private final GenerationRequest request;
    private final Consumer<TextChunk> listener;
    private final boolean watched;
    private final CompletableFuture<GenerationResult> result = new CompletableFuture<>();

    /** For others: whoever completes or cancels it ends nothing here. */
    private final CompletableFuture<GenerationResult> shown = result.copy();

    private final GenerationProgress resumed;
    private final String systemFingerprint;
    private final long submitted;

    private volatile Optional<GenerationFailure> aborted = Optional.empty();
    private volatile Written written;

    private Optional<Started> started = Optional.empty();
    private long queued;
    private long timeToFirstToken;
    private int preemptions;

    /** What there is once the request is prepared. */
    private record Started(Sequence sequence, Turn turn, CompletionText text) {}

    /**
     * What others may see.
     *
     * @param tokens of which [from, to) are written; they never change
     */
    private record Written(int[] tokens, int from, int to, GenerationStatistics statistics) {

        GenerationProgress toProgress() {
            return new GenerationProgress(
                    Arrays.stream(tokens, from, to).boxed().toList(), statistics);
        }
    }

    /**
     * @param resumed what an earlier generation of this request has written
     * @param systemFingerprint what writes it
     * @param watched whether the listener wants the text while it is written
     */
    ActiveGeneration(
            GenerationRequest request,
            GenerationProgress resumed,
            String systemFingerprint,
            Consumer<TextChunk> listener,
            boolean watched) {
        this.request = request;
        this.resumed = resumed;
        this.submitted = System.nanoTime() - resumed.statistics().totalNanos();
        this.systemFingerprint = systemFingerprint;
        this.queued = resumed.statistics().queueNanos();
        this.timeToFirstToken = resumed.statistics().timeToFirstTokenNanos();
        this.listener = listener;
        this.watched = watched;
        int[] tokens = resumed.tokenIds().stream().mapToInt(token -> token).toArray();
        this.written = new Written(tokens, 0, tokens.length, resumed.statistics());
    }

    @Override
    public CompletableFuture<GenerationResult> result() {
        return shown;
    }

    @Override
    public void abort(GenerationFailure failure) {
        aborted = Optional.of(failure);
    }

    @Override
    public GenerationProgress progress() {
        return written.toProgress();
    }

    /** Ends it if it was aborted; returns whether it was. */
    boolean endIfAborted() {
        aborted.ifPresent(this::fail);
        return aborted.isPresent();
    }

    GenerationRequest request() {
        return request;
    }

    /** Starts, or goes on from where an earlier generation was. */
    void start(Sequence sequence, CompletionText text) {
        if (sequence.canResume(resumed.tokenIds())) {
            sequence.resume(resumed);
        }
        started = Optional.of(new Started(sequence, new Turn(sequence), text));
        show();
    }

    boolean isStarted() {
        return started.isPresent();
    }

    Sequence sequence() {
        return started.orElseThrow().sequence();
    }

    Turn turn() {
        return started.orElseThrow().turn();
    }

    private CompletionText text() {
        return started.orElseThrow().text();
    }

    boolean isDone() {
        return result.isDone();
    }

    /** Notes that it takes part in rounds from now on. */
    void admitted() {
        if (queued == 0) {
            queued = System.nanoTime() - submitted;
        }
    }

    /** Notes that it had to wait because others needed its memory. */
    void preempted() {
        preemptions++;
    }

    /** How often it had to. */
    int preemptions() {
        return preemptions;
    }

    /**
     * Writes what a round brought, and completes the result if that is the end. Nobody can see the
     * last token before the result.
     *
     * @param counter counts the tokens too, before anybody sees them
     * @return how many tokens were written
     */
    int write(LongAdder counter) {
        Turn turn = turn();
        int count = 0;
        while (count < turn.written() && !text().stopped()) {
            sequence().write(turn.choice(count));
            follow(turn.isAccepted(count));
            count++;
        }
        turn.end(count);
        counter.add(count);
        if (count > 0 && (text().stopped() || sequence().ended())) {
            complete();
        }
        show();
        return count;
    }

    private void follow(boolean drafted) {
        if (timeToFirstToken == 0) {
            timeToFirstToken = System.nanoTime() - submitted;
        }
        if (watched || text().hasStops()) {
            publish(text().advance(sequence().tokens(), sequence().length()), drafted);
        }
    }

    private void complete() {
        publish(text().finish(sequence().tokens(), sequence().length()), false);
        boolean stopped = text().stopped() || sequence().endedByToken();
        free();
        result.complete(
                result(stopped ? FinishReason.STOP : FinishReason.LENGTH, Optional.empty()));
    }

    private void publish(String text, boolean drafted) {
        if (!text.isEmpty()) {
            listener.accept(new TextChunk(text, drafted));
        }
    }

    /** Lets others see what is written. */
    private void show() {
        written =
                new Written(
                        sequence().tokens(),
                        sequence().promptLength(),
                        sequence().length(),
                        statistics());
    }

    /** Completes the result with a failure and what was written before it. */
    void fail(GenerationFailure failure) {
        if (started.isEmpty()) {
            result.complete(GenerationResult.failed(request, failure));
            return;
        }
        try {
            text().finish(sequence().tokens(), sequence().length());
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
        started.ifPresent(parts -> parts.sequence().close());
    }

    private GenerationResult result(FinishReason reason, Optional<GenerationFailure> failure) {
        List<Integer> tokens =
                Arrays.stream(sequence().tokens(), sequence().promptLength(), sequence().length())
                        .boxed()
                        .toList();
        return new GenerationResult(
                request.id(),
                text().text(),
                tokens,
                reason,
                statistics(),
                failure,
                Optional.of(systemFingerprint),
                request.attachment());
    }

    private GenerationStatistics statistics() {
        return sequence().statistics(queued, timeToFirstToken, System.nanoTime() - submitted);
    }
}
