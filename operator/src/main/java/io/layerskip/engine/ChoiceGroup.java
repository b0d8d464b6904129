package io.layerskip.engine;

import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/**
 * The completions of a request that asks for several, as one generation. The first leads: the
 * others begin when it has the prompt computed. If one fails, the request does, with what the first
 * has written.
 */
final class ChoiceGroup implements Generation {

    private final List<ActiveGeneration> choices;
    private final CompletableFuture<GenerationResult> result = new CompletableFuture<>();

    /** For others: whoever completes or cancels it ends nothing here. */
    private final CompletableFuture<GenerationResult> shown = result.copy();

    private Optional<GenerationFailure> failure = Optional.empty();
    private int underWay;

    /**
     * @param choices that nobody else has seen yet, at least two
     */
    ChoiceGroup(List<ActiveGeneration> choices) {
        this.choices = List.copyOf(choices);
        this.underWay = choices.size();
        choices.get(0).lead(choices.subList(1, choices.size()));
        choices.forEach(choice -> choice.result().whenComplete(this::ended));
    }

    private void ended(GenerationResult choice, Throwable error) {
        if (error != null) {
            result.completeExceptionally(error);
            return;
        }
        underWay--;
        if (failure.isEmpty() && choice.failure().isPresent()) {
            failure = choice.failure();
            abort(failure.get());
        }
        if (failure.isEmpty() && underWay == 0) {
            result.complete(together());
        } else if (failure.isPresent() && choices.get(0).result().isDone()) {
            result.complete(failed(choices.get(0).result().join()));
        }
    }

    private GenerationResult failed(GenerationResult first) {
        return new GenerationResult(
                first.id(),
                first.text(),
                first.tokenIds(),
                FinishReason.ERROR,
                first.statistics(),
                failure,
                first.systemFingerprint(),
                first.attachment());
    }

    private GenerationResult together() {
        List<GenerationResult> results =
                choices.stream().map(choice -> choice.result().join()).toList();
        GenerationResult first = results.get(0);
        return new GenerationResult(
                first.id(),
                first.text(),
                first.tokenIds(),
                first.finishReason(),
                GenerationStatistics.sum(
                        results.stream().map(GenerationResult::statistics).toList()),
                first.failure(),
                first.systemFingerprint(),
                first.attachment(),
                first.logprobs(),
                first.confidence(),
                results.stream().skip(1).flatMap(other -> other.choices().stream()).toList());
    }

    @Override
    public CompletableFuture<GenerationResult> result() {
        return shown;
    }

    @Override
    public void abort(GenerationFailure failure) {
        choices.forEach(choice -> choice.abort(failure));
    }

    @Override
    public GenerationProgress progress() {
        GenerationProgress first = progress(choices.get(0));
        return new GenerationProgress(
                first.tokenIds(),
                first.statistics(),
                first.logprobs(),
                choices.stream().skip(1).map(ChoiceGroup::progress).toList());
    }

    /** How far a completion has come, but for its end, so that it can go on from there. */
    private static GenerationProgress progress(ActiveGeneration choice) {
        // In this order: one that has its last token by now has its result too.
        GenerationProgress progress = choice.progress();
        int tokens = progress.tokenIds().size();
        if (!choice.result().isDone() || tokens == 0) {
            return progress;
        }
        return new GenerationProgress(
                progress.tokenIds().subList(0, tokens - 1),
                progress.statistics(),
                progress.logprobs().stream().limit(tokens - 1).toList(),
                List.of());
    }
}
