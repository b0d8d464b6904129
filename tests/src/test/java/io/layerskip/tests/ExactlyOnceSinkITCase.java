package io.layerskip.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.layerskip.connectors.OutgoingRecord;
import io.layerskip.connectors.internal.ExactlyOnceSink;
import io.layerskip.local.EmbeddedBroker;
import java.util.HashSet;
import java.util.List;
import java.util.Properties;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.flink.connector.kafka.sink.KafkaCommittable;
import org.apache.flink.streaming.api.connector.sink2.CommittableMessage;
import org.apache.flink.streaming.runtime.operators.sink.SinkWriterOperatorFactory;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;
import org.apache.kafka.common.errors.TimeoutException;
import org.junit.jupiter.api.Test;

/** What a sink's writers leave running, in Flink's own operator. */
@SuppressWarnings("try") // The harness declares that close() throws any exception.
class ExactlyOnceSinkITCase {

    private final Set<Thread> before = adminClients();

    @Test
    void aWriterThatHasStartedNeedsNoAdminClientAnyMore() throws Exception {
        try (EmbeddedBroker broker = EmbeddedBroker.start()) {
            broker.createTopics(1, "completions");
            before.addAll(adminClients());

            try (var writer = writer(broker.bootstrapServers())) {
                writer.open();

                assertThat(adminClients()).isSubsetOf(before);
            }
        }
    }

    @Test
    void aWriterThatCannotStartLeavesNoAdminClientBehind() throws Exception {
        int nobody = EmbeddedBroker.freePorts(1).get(0);

        try (var writer = writer("127.0.0.1:" + nobody)) {
            assertThatThrownBy(writer::open).hasRootCauseInstanceOf(TimeoutException.class);
        }

        assertThat(adminClients()).isSubsetOf(before);
    }

    private static OneInputStreamOperatorTestHarness<
                    OutgoingRecord, CommittableMessage<KafkaCommittable>>
            writer(String bootstrapServers) throws Exception {
        Properties properties = new Properties();
        properties.setProperty("bootstrap.servers", bootstrapServers);
        properties.setProperty("transaction.timeout.ms", "60000");
        properties.setProperty("default.api.timeout.ms", "1000");
        properties.setProperty("request.timeout.ms", "1000");
        return new OneInputStreamOperatorTestHarness<>(
                new SinkWriterOperatorFactory<>(
                        new ExactlyOnceSink(properties, "test", List.of("completions"), false)));
    }

    private static Set<Thread> adminClients() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().startsWith("kafka-admin-client-thread"))
                .collect(Collectors.toCollection(HashSet::new));
    }
}
