package io.layerskip.cli;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.layerskip.local.LocalJob;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.kafka.clients.producer.ProducerRecord;

/** Sends prompts to a job and remembers which id asked what. Thread-safe. */
final class PromptSender {

    private static final JsonMapper JSON = new JsonMapper();

    private final LocalJob job;
    private final Map<String, GoldenPrompt> sent = new ConcurrentHashMap<>();

    PromptSender(LocalJob job) {
        this.job = job;
    }

    /** Sends a prompt as a request; a completion that is not known beforehand is left empty. */
    void send(String id, GoldenPrompt prompt) {
        sent.put(id, prompt);
        ObjectNode request = JSON.createObjectNode().put("id", id).put("prompt", prompt.prompt());
        sendRaw(id, request.toString().getBytes(StandardCharsets.UTF_8));
    }

    /** Sends any bytes, whether they are a request or not. */
    void sendRaw(String key, byte[] value) {
        job.send(
                new ProducerRecord<>(
                        LocalJob.PROMPTS, key.getBytes(StandardCharsets.UTF_8), value));
    }

    /** What was sent under this id. */
    Optional<GoldenPrompt> sent(String id) {
        return Optional.ofNullable(sent.get(id));
    }
}
