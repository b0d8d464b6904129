package io.layerskip.connectors;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.apache.flink.metrics.testutils.MetricListener;
import org.junit.jupiter.api.Test;

class DeadLetterMetricsTest {

    private final MetricListener registered = new MetricListener();
    private final DeadLetterMetrics metrics =
            new DeadLetterMetrics(registered.getMetricGroup(), List.of("TIMEOUT", "INVALID_JSON"));

    @Test
    void countsEachReasonApart() {
        metrics.count("TIMEOUT");
        metrics.count("TIMEOUT");

        assertThat(deadLetters("TIMEOUT")).isEqualTo(2);
        assertThat(deadLetters("INVALID_JSON")).isZero();
    }

    private long deadLetters(String reason) {
        return registered
                .getCounter("layerskip", "reason", reason, "deadLetters")
                .orElseThrow()
                .getCount();
    }
}
