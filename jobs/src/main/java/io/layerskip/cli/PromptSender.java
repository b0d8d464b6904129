package io.layerskip.cli;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Sends prompts to a topic and remembers which id asked what. Thread-safe. */
final class PromptSender implements AutoCloseable {

    private static final JsonMapper JSON = new JsonMapper();

    private final String topic;
    private final KafkaProducer<byte[], byte[]> producer;
    private final Map<String, GoldenPrompt> sent = new ConcurrentHashMap<>();

    PromptSender(String bootstrapServers, String topic) {
        this.topic = topic;
        this.producer =
                new KafkaProducer<>(
                        Map.of(ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrapServers),
                        new ByteArraySerializer(),
                        new ByteArraySerializer());
    }

    /** Sends a prompt as a request; a completion that is not known beforehand is left empty. */
    void send(String id, GoldenPrompt prompt) {
        sent.put(id, prompt);
        ObjectNode request = JSON.createObjectNode().put("id", id).put("prompt", prompt.prompt());
        sendRaw(id, request.toString().getBytes(StandardCharsets.UTF_8));
    }

    /** Sends any bytes, whether they are a request or not. */
    void sendRaw(String key, byte[] value) {
        producer.send(new ProducerRecord<>(topic, key.getBytes(StandardCharsets.UTF_8), value));
    }

    /** What was sent under this id. */
    Optional<GoldenPrompt> sent(String id) {
        return Optional.ofNullable(sent.get(id));
    }

    /** Waits until the broker has everything. */
    @Override
    public void close() {
        producer.close();
    }
}
