package io.layerskip.connectors;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.MetricGroup;

/** The counters {@code layerskip.reason.REASON.deadLetters} of an operator. */
final class DeadLetterMetrics {

    private final Map<String, Counter> counters = new HashMap<>();

    /**
     * @param reasons all that the operator may have
     */
    DeadLetterMetrics(MetricGroup operator, List<String> reasons) {
        MetricGroup group = operator.addGroup("layerskip");
        for (String reason : reasons) {
            counters.put(reason, group.addGroup("reason", reason).counter("deadLetters"));
        }
    }

    void count(String reason) {
        counters.get(reason).inc();
    }
}
