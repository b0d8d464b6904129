package io.layerskip.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.layerskip.engine.GenerationParameters.Builder;
import io.layerskip.model.BundledModel;
import io.layerskip.model.Checkpoint;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Generations that go on from where another engine was, with the bundled model. */
class GenerationProgressTest {

    private static final String PROMPT = "banking: Where is my card?\n";

    private static Checkpoint checkpoint;
    private static GenerationEngine engine;

    @BeforeAll
    static void open() throws Exception {
        checkpoint = Checkpoint.open(BundledModel.folder());
        engine =
                GenerationEngine.open(
                        checkpoint,
                        EngineSettings.builder(2)
                                .defaults(asked().numAssistantTokens(5).build())
                                .build());
    }

    @AfterAll
    static void close() {
        engine.close();
        checkpoint.close();
    }

    @Test
    void goesOnFromAnyTokenToTheSameText() {
        for (Builder asked :
                List.of(
                        asked(),
                        asked().temperature(1.5).seed(7).ignoreEos(true).maxTokens(20),
                        asked().ignoreEos(true).maxTokens(25),
                        asked().ignoreEos(true).stop("}{", "never"))) {
            GenerationResult whole = engine.submit(request(asked)).result().join();

            for (int written = 0; written < whole.tokenIds().size(); written++) {
                GenerationResult rest =
                        engine.submit(request(asked), after(whole, written)).result().join();

                assertThat(rest.tokenIds()).isEqualTo(whole.tokenIds());
                assertThat(rest.text()).isEqualTo(whole.text());
                assertThat(rest.finishReason()).isEqualTo(whole.finishReason());
            }
        }
    }

    @Test
    void countsWhatBothRunsTook() {
        Builder asked = asked().numAssistantTokens(0);
        GenerationResult whole = engine.submit(request(asked)).result().join();
        int half = whole.tokenIds().size() / 2;
        GenerationStatistics first =
                new GenerationStatistics(
                        0, 0, half, 20, 10, half - 1, 1, 1, TimeUnit.DAYS.toNanos(1));

        GenerationStatistics both =
                engine.submit(
                                request(asked),
                                new GenerationProgress(whole.tokenIds().subList(0, half), first))
                        .result()
                        .join()
                        .statistics();

        assertThat(both.completionTokens()).isEqualTo(whole.tokenIds().size());
        assertThat(both.draftedTokens()).isEqualTo(20);
        assertThat(both.acceptedTokens()).isEqualTo(10);
        // The pass that takes what was written through the model is a prompt's, not a round.
        assertThat(both.rounds()).isEqualTo(whole.statistics().rounds() - 1);
        assertThat(both.timeToFirstTokenNanos()).isEqualTo(1);
        assertThat(both.totalNanos()).isGreaterThan(TimeUnit.DAYS.toNanos(1));
    }

    @Test
    void showsWhatIsWrittenWhileItIsWritten() throws Exception {
        // More than one round writes; what it wrote can be seen when the round has ended.
        CountDownLatch begun = new CountDownLatch(10);
        Builder asked = asked().ignoreEos(true).maxTokens(300);
        Generation generation = engine.submit(request(asked), chunk -> begun.countDown());
        assertThat(begun.await(30, TimeUnit.SECONDS)).isTrue();

        GenerationProgress progress = generation.progress();

        assertThat(progress.tokenIds()).isNotEmpty();
        assertThat(progress.statistics().completionTokens()).isEqualTo(progress.tokenIds().size());
        assertThat(generation.result().join().tokenIds())
                .startsWith(progress.tokenIds().toArray(Integer[]::new));
    }

    @Test
    void showsWhatIsWrittenAlsoWhileAListenerTakesItsTime() throws Exception {
        CountDownLatch begun = new CountDownLatch(1);
        CountDownLatch shown = new CountDownLatch(1);
        Generation generation =
                engine.submit(
                        request(asked()),
                        chunk -> {
                            begun.countDown();
                            awaitUninterruptibly(shown);
                        });
        assertThat(begun.await(30, TimeUnit.SECONDS)).isTrue();

        CompletableFuture<GenerationProgress> progress =
                CompletableFuture.supplyAsync(generation::progress);

        assertThat(progress).succeedsWithin(30, TimeUnit.SECONDS);
        shown.countDown();
        generation.result().join();
    }

    private static void awaitUninterruptibly(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void keepsWhatWasWrittenBeforeWhileItWaits() {
        Builder asked = asked().ignoreEos(true).maxTokens(400);
        List<Generation> ahead = new ArrayList<>();
        for (int i = 0; i < 32; i++) {
            ahead.add(engine.submit(request(asked)));
        }
        GenerationProgress written = new GenerationProgress(List.of(5, 6), after(3));

        Generation waiting = engine.submit(request(asked), written);

        assertThat(waiting.progress()).isEqualTo(written);
        ahead.add(waiting);
        GenerationFailure enough = new GenerationFailure(GenerationFailure.Kind.TIMEOUT, "enough");
        ahead.forEach(generation -> generation.abort(enough));
        ahead.forEach(generation -> generation.result().join());
    }

    @Test
    void startsOverAfterTokensThatLeaveNothingToWrite() {
        GenerationResult whole = engine.submit(request(asked())).result().join();

        for (GenerationProgress impossible :
                List.of(
                        // The last one ends the sequence.
                        after(whole, whole.tokenIds().size()),
                        new GenerationProgress(Collections.nCopies(600, 5), after(600)))) {
            assertThat(engine.submit(request(asked()), impossible).result().join().tokenIds())
                    .isEqualTo(whole.tokenIds());
        }
    }

    @Test
    void refusesTokensThatTheModelDoesNotHave() {
        for (int token : List.of(-1, checkpoint.config().vocabSize())) {
            GenerationProgress foreign = new GenerationProgress(List.of(token), after(1));

            assertThatThrownBy(() -> engine.submit(request(asked()), foreign))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("goes on after token " + token);
        }
    }

    private static GenerationProgress after(GenerationResult whole, int tokens) {
        return new GenerationProgress(whole.tokenIds().subList(0, tokens), after(tokens));
    }

    private static GenerationStatistics after(int tokens) {
        return new GenerationStatistics(8, 0, tokens, 0, 0, tokens, 1, 1, 1);
    }

    private static Builder asked() {
        return GenerationParameters.builder();
    }

    private static GenerationRequest request(Builder asked) {
        return new GenerationRequest("progress", PROMPT, asked.build());
    }
}
