package io.layerskip.connectors.internal;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.InetAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.List;
import java.util.Properties;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.junit.jupiter.api.Test;

class BrokersTest {

    @Test
    void aServerThatDoesNotAnswerIsNamed() throws Exception {
        // Takes connections, as any listening socket does, and never says a word.
        try (ServerSocket silent = new ServerSocket(0, 8, InetAddress.getLoopbackAddress())) {
            String servers = "127.0.0.1:" + silent.getLocalPort();
            Properties properties = new Properties();
            properties.setProperty("bootstrap.servers", servers);

            try (Brokers brokers = Brokers.of(properties, Duration.ofMillis(500))) {
                assertThatThrownBy(
                                () ->
                                        brokers.checkTopics(
                                                "kafka.source.topics", List.of("prompts")))
                        .isInstanceOf(IllegalConfigurationException.class)
                        .hasMessageStartingWith(
                                "option kafka.bootstrap.servers is "
                                        + servers
                                        + ": no answer to be had: Timed out");
            }
        }
    }

    @Test
    void anAddressWithoutPortIsRefused() {
        Properties properties = new Properties();
        properties.setProperty("bootstrap.servers", "broker");

        assertThatThrownBy(() -> Brokers.of(properties, Duration.ofMillis(500)))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageStartingWith("option kafka.bootstrap.servers is broker: ");
    }
}
