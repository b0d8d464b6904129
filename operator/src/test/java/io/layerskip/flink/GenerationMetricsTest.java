package io.layerskip.flink;

import static org.assertj.core.api.Assertions.assertThat;

import io.layerskip.engine.EngineStatus;
import io.layerskip.engine.FinishReason;
import io.layerskip.engine.GenerationFailure;
import io.layerskip.engine.GenerationParameters;
import io.layerskip.engine.GenerationRequest;
import io.layerskip.engine.GenerationResult;
import io.layerskip.engine.GenerationStatistics;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.apache.flink.metrics.testutils.MetricListener;
import org.junit.jupiter.api.Test;

final class GenerationMetricsTest {

    private static final EngineStatus STATUS =
            new EngineStatus(
                    1,
                    2,
                    3,
                    4,
                    5,
                    6,
                    7,
                    8,
                    9,
                    Optional.of(Instant.ofEpochMilli(1_795_392_000_999L)),
                    Duration.ofMillis(12));

    private final AtomicLong written = new AtomicLong();
    private final MetricListener registered = new MetricListener();
    private final GenerationMetrics metrics =
            new GenerationMetrics(
                    registered.getMetricGroup(), written::get, () -> STATUS, Duration.ofSeconds(3));

    @Test
    void countsDraftsOfResults() {
        metrics.countResult(completion(10, 8, 6));
        metrics.countResult(completion(5, 4, 3));

        assertThat(counter("draftedTokens")).isEqualTo(12);
        assertThat(counter("acceptedTokens")).isEqualTo(9);
        assertThat(gauge("acceptanceRate")).isEqualTo(0.75);
        assertThat(counter("failures")).isZero();
    }

    @Test
    void countsPromptsAndFailures() {
        metrics.countPrompt(0);
        metrics.countResult(failed());

        assertThat(counter("prompts")).isEqualTo(1);
        assertThat(counter("failures")).isEqualTo(1);
        assertThat(counter("kind", "TIMEOUT", "failures")).isEqualTo(1);
        assertThat(counter("kind", "PROMPT_TOO_LONG", "failures")).isZero();
    }

    @Test
    void showsWhatIsInFlight() {
        metrics.countPrompt(0);
        metrics.countPrompt(0);
        metrics.countResult(completion(1, 0, 0));

        assertThat(gauge("inFlight")).isEqualTo(1);
    }

    @Test
    void countsTokensThatACheckpointHadApartFromThoseGenerated() {
        metrics.countPrompt(7);
        written.set(3);
        metrics.countResult(completion(10, 0, 0));

        assertThat(counter("resumedTokens")).isEqualTo(7);
        assertThat(counter("tokens")).isEqualTo(3);
    }

    @Test
    void countsRequestsWhoseTokensInACheckpointWereOfNoUse() {
        metrics.countRestart();

        assertThat(counter("restartedRequests")).isEqualTo(1);
    }

    @Test
    void acceptsNothingBeforeTheFirstDraft() {
        assertThat(gauge("acceptanceRate")).isEqualTo(0.0);
    }

    @Test
    void measuresHowLongRequestsTook() {
        metrics.countResult(completion(1, 0, 0));

        assertThat(longest("queueTimeMs")).isEqualTo(5);
        assertThat(longest("timeToFirstTokenMs")).isEqualTo(7);
        assertThat(longest("requestTimeMs")).isEqualTo(9);
    }

    @Test
    void measuresNoTimeOfWhatDidNotHappen() {
        metrics.countResult(failed());

        assertThat(registered.getHistogram("layerskip", "timeToFirstTokenMs"))
                .hasValueSatisfying(histogram -> assertThat(histogram.getCount()).isZero());
    }

    @Test
    void countsRequestsWhosePromptsBeganAlike() {
        metrics.countResult(completion(1, 0, 0));

        assertThat(counter("prefixHits")).isEqualTo(1);
        assertThat(counter("cachedPromptTokens")).isEqualTo(2);
    }

    @Test
    void showsTheEngine() {
        assertThat(gauge("waiting")).isEqualTo(1);
        assertThat(gauge("running")).isEqualTo(2);
        assertThat(gauge("batchSize")).isEqualTo(3);
        assertThat(gauge("keyValueBlocksUsed")).isEqualTo(4);
        assertThat(gauge("keyValueBlocks")).isEqualTo(5);
        assertThat(counter("preemptions")).isEqualTo(6);
        assertThat(counter("passes")).isEqualTo(7);
        assertThat(counter("rows")).isEqualTo(8);
        assertThat(counter("draftPasses")).isEqualTo(9);
        assertThat(gauge("lastPassTimestamp")).isEqualTo(1_795_392_000_999L);
        assertThat(gauge("passTimeMs")).isEqualTo(12L);
        assertThat(gauge("modelLoadTimeMs")).isEqualTo(3_000L);
        assertThat((long) gauge("residentBytes")).isPositive();
    }

    @Test
    void metersTokensPerSecond() {
        assertThat(registered.getMeter("layerskip", "tokensPerSecond")).isPresent();
    }

    private long counter(String... name) {
        return registered.getCounter(below(name)).orElseThrow().getCount();
    }

    private static String[] below(String... name) {
        return Stream.concat(Stream.of("layerskip"), Stream.of(name)).toArray(String[]::new);
    }

    private long longest(String histogram) {
        return registered
                .getHistogram("layerskip", histogram)
                .orElseThrow()
                .getStatistics()
                .getMax();
    }

    private Object gauge(String name) {
        return registered.getGauge("layerskip", name).orElseThrow().getValue();
    }

    private static GenerationResult failed() {
        return GenerationResult.failed(
                new GenerationRequest("1", "prompt", GenerationParameters.DEFAULTS),
                new GenerationFailure(GenerationFailure.Kind.TIMEOUT, "too slow"));
    }

    private static GenerationResult completion(int tokens, int drafted, int accepted) {
        return new GenerationResult(
                "1",
                "",
                List.of(),
                FinishReason.STOP,
                new GenerationStatistics(
                        4, 2, tokens, drafted, accepted, 2, 5_000_000, 7_000_000, 9_000_000),
                Optional.empty(),
                Optional.empty(),
                new byte[0]);
    }
}
