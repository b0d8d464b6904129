package io.layerskip.flink;

import static org.assertj.core.api.Assertions.assertThat;

import io.layerskip.engine.FinishReason;
import io.layerskip.engine.GenerationFailure;
import io.layerskip.engine.GenerationParameters;
import io.layerskip.engine.GenerationRequest;
import io.layerskip.engine.GenerationResult;
import io.layerskip.engine.GenerationStatistics;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.flink.metrics.testutils.MetricListener;
import org.junit.jupiter.api.Test;

final class GenerationMetricsTest {

    private final AtomicLong written = new AtomicLong();
    private final MetricListener registered = new MetricListener();
    private final GenerationMetrics metrics =
            new GenerationMetrics(registered.getMetricGroup(), written::get);

    @Test
    void countsDraftsOfResults() {
        metrics.countResult(completion(10, 8, 6));
        metrics.countResult(completion(5, 4, 3));

        assertThat(counter("cachedPromptTokens")).isZero();
        assertThat(counter("draftedTokens")).isEqualTo(12);
        assertThat(counter("acceptedTokens")).isEqualTo(9);
        assertThat(gauge("acceptanceRate")).isEqualTo(0.75);
        assertThat(counter("failures")).isZero();
    }

    @Test
    void countsPromptsAndFailures() {
        metrics.countPrompt(0);
        metrics.countResult(
                GenerationResult.failed(
                        new GenerationRequest("1", "prompt", GenerationParameters.DEFAULTS),
                        new GenerationFailure(GenerationFailure.Kind.TIMEOUT, "too slow")));

        assertThat(counter("prompts")).isEqualTo(1);
        assertThat(counter("failures")).isEqualTo(1);
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
    void acceptsNothingBeforeTheFirstDraft() {
        assertThat(gauge("acceptanceRate")).isEqualTo(0.0);
    }

    @Test
    void measuresTheTimeToTheFirstTokenOfThoseThatHaveOne() {
        metrics.countResult(completion(1, 0, 0));
        metrics.countResult(completion(0, 0, 0));

        assertThat(registered.getHistogram("layerskip", "timeToFirstTokenMs"))
                .hasValueSatisfying(
                        histogram -> {
                            assertThat(histogram.getCount()).isEqualTo(1);
                            assertThat(histogram.getStatistics().getMax()).isEqualTo(7);
                        });
    }

    @Test
    void metersTokensPerSecond() {
        assertThat(registered.getMeter("layerskip", "tokensPerSecond")).isPresent();
    }

    private long counter(String name) {
        return registered.getCounter("layerskip", name).orElseThrow().getCount();
    }

    private Object gauge(String name) {
        return registered.getGauge("layerskip", name).orElseThrow().getValue();
    }

    private static GenerationResult completion(int tokens, int drafted, int accepted) {
        return new GenerationResult(
                "1",
                "",
                List.of(),
                FinishReason.STOP,
                new GenerationStatistics(4, 0, tokens, drafted, accepted, 2, 7_000_000, 9_000_000),
                Optional.empty(),
                new byte[0]);
    }
}
