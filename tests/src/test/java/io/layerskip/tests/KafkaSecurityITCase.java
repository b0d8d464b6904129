package io.layerskip.tests;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.layerskip.connectors.KafkaConfiguration;
import io.layerskip.connectors.KafkaPipeline;
import io.layerskip.jobs.EmbeddedBroker;
import java.io.IOException;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Security settings pass through: a broker that wants a password (SASL/PLAIN) from its clients. */
class KafkaSecurityITCase {

    private static final String LOGIN =
            "org.apache.kafka.common.security.plain.PlainLoginModule required"
                    + " username=\"%s\" password=\"%s\"";

    private static EmbeddedBroker broker;

    @BeforeAll
    static void startBroker() throws IOException {
        broker =
                EmbeddedBroker.start(
                        Map.of(
                                "listener.security.protocol.map",
                                "BROKER:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
                                "sasl.enabled.mechanisms",
                                "PLAIN",
                                "sasl.mechanism.inter.broker.protocol",
                                "PLAIN",
                                "listener.name.broker.plain.sasl.jaas.config",
                                LOGIN.formatted("broker", "itself")
                                        + " user_broker=\"itself\" user_job=\"hunter2\";"));
    }

    @AfterAll
    static void stopBroker() {
        broker.close();
    }

    @Test
    void theRightPasswordGetsAnAnswer() {
        assertThatThrownBy(() -> connect("hunter2"))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageContaining("option kafka.source.topics names prompts, which does not");
    }

    @Test
    void aWrongPasswordIsRefusedWithoutBeingPrinted() {
        assertThatThrownBy(() -> connect("hunter3"))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageContaining("option kafka.bootstrap.servers is ")
                .hasMessageContaining("Authentication failed")
                .message()
                .doesNotContain("hunter3");
    }

    private static void connect(String password) {
        Map<String, String> options = new HashMap<>();
        options.put("kafka.bootstrap.servers", broker.bootstrapServers());
        options.put("kafka.source.topics", "prompts");
        options.put("kafka.sink.topic", "completions");
        options.put("kafka.dead-letters.topic", "dead-letters");
        for (String client : new String[] {"kafka.source.", "kafka.sink."}) {
            options.put(client + "security.protocol", "SASL_PLAINTEXT");
            options.put(client + "sasl.mechanism", "PLAIN");
            options.put(client + "sasl.jaas.config", LOGIN.formatted("job", password) + ";");
        }
        Configuration checkpoints = new Configuration();
        checkpoints.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, Duration.ofSeconds(10));
        KafkaPipeline.connect(
                KafkaConfiguration.from(Configuration.fromMap(options)),
                StreamExecutionEnvironment.getExecutionEnvironment(checkpoints)
                        .getCheckpointConfig());
    }
}
