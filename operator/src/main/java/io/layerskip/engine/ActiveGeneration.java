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

    private static final TokenLogprobs[] NO_LOGPROBS = {};

    private final GenerationRequest request;
    private final RequestWatch watch;
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

    private List<ActiveGeneration> siblings = List.of();
    private Optional<Started> started = Optional.empty();
    private long queued;
    private long timeToFirstToken;
    private int preemptions;

    /** What there is once the request is prepared. */
    private record Started(
            Sequence sequence,
            Turn turn,
            CompletionText text,
            Reporting reporting,
            Optional<CompletionLogprobs> logprobs) {}

    /**
     * What others may see.
     *
     * @param tokens of which [from, to) are written; they never change
     * @param logprobs of which as many are noted as {@code noted} says; they never change
     */
    private record Written(
            int[] tokens,
            int from,
            int to,
            GenerationStatistics statistics,
            TokenLogprobs[] logprobs,
            int noted) {

        GenerationProgress toProgress() {
            return new GenerationProgress(
                    Arrays.stream(tokens, from, to).boxed().toList(),
                    statistics,
                    Arrays.stream(logprobs, 0, noted).toList(),
                    List.of());
        }
    }

    /**
     * @param resumed what an earlier generation of this request has written
     * @param systemFingerprint what writes it
     * @param watch told when it begins
     * @param watched whether the listener wants the text while it is written
     */
    ActiveGeneration(
            GenerationRequest request,
            GenerationProgress resumed,
            String systemFingerprint,
            RequestWatch watch,
            Consumer<TextChunk> listener,
            boolean watched) {
        this.request = request;
        this.resumed = resumed;
        this.submitted = System.nanoTime() - resumed.statistics().totalNanos();
        this.systemFingerprint = systemFingerprint;
        this.watch = watch;
        this.queued = resumed.statistics().queueNanos();
        this.timeToFirstToken = resumed.statistics().timeToFirstTokenNanos();
        this.listener = listener;
        this.watched = watched;
        int[] tokens = resumed.tokenIds().stream().mapToInt(token -> token).toArray();
        TokenLogprobs[] logprobs = resumed.logprobs().toArray(TokenLogprobs[]::new);
        this.written =
                new Written(
                        tokens, 0, tokens.length, resumed.statistics(), logprobs, logprobs.length);
    }

    /**
     * Takes over other completions of the same request, before anybody else sees them: they begin
     * when its prompt is computed.
     */
    void lead(List<ActiveGeneration> others) {
        siblings = others;
    }

    /** Those that it leads and that have yet to begin. */
    List<ActiveGeneration> siblings() {
        return siblings;
    }

    /** The same; they are the caller's from now on. */
    List<ActiveGeneration> handOverSiblings() {
        List<ActiveGeneration> others = siblings;
        siblings = List.of();
        return others;
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

    RequestWatch watch() {
        return watch;
    }

    /**
     * Starts, or goes on from where an earlier generation was.
     *
     * @param logprobs if the reporting needs them
     */
    void start(
            Sequence sequence,
            CompletionText text,
            Reporting reporting,
            Optional<CompletionLogprobs> logprobs) {
        boolean noted =
                logprobs.isEmpty() || resumed.logprobs().size() == resumed.tokenIds().size();
        if (noted && sequence.canResume(resumed.tokenIds())) {
            sequence.resume(resumed);
            logprobs.ifPresent(
                    l -> l.resume(resumed.logprobs(), sequence.tokens(), sequence.length()));
        }
        Turn turn = new Turn(sequence, reporting.likely());
        started = Optional.of(new Started(sequence, turn, text, reporting, logprobs));
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

    private CompletionLogprobs logprobs() {
        return started.orElseThrow().logprobs().orElseThrow();
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
            if (turn.notesLogprobs()) {
                logprobs().add(turn.logprobs(count), sequence().tokens(), sequence().length());
            }
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
        Optional<CompletionLogprobs> logprobs = started.orElseThrow().logprobs();
        written =
                new Written(
                        sequence().tokens(),
                        sequence().promptLength(),
                        sequence().length(),
                        statistics(),
                        logprobs.map(CompletionLogprobs::tokens).orElse(NO_LOGPROBS),
                        logprobs.map(CompletionLogprobs::count).orElse(0));
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

    /** The same where the engine's thread hangs, and may still use what would be freed. */
    void giveUp(EngineFailedException failure) {
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
        Reporting reporting = started.orElseThrow().reporting();
        Optional<List<TokenLogprobs>> noted =
                failure.isEmpty()
                        ? started.orElseThrow().logprobs().map(CompletionLogprobs::toList)
                        : Optional.empty();
        String text = text().text();
        return new GenerationResult(
                request.id(),
                reporting.echo() && failure.isEmpty() ? request.prompt() + text : text,
                tokens,
                reason,
                statistics(),
                failure,
                Optional.of(systemFingerprint),
                request.attachment(),
                noted.filter(l -> reporting.logprobs().isPresent()).orElse(List.of()),
                noted.filter(l -> reporting.confidence()).map(Confidence::of),
                List.of());
    }

    private GenerationStatistics statistics() {
        return sequence().statistics(queued, timeToFirstToken, System.nanoTime() - submitted);
    }
}
