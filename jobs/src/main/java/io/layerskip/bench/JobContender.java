package io.layerskip.bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.layerskip.local.LocalJob;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;

/** A job from Kafka to Kafka: a prompt takes from its sending to the arrival of its completion. */
final class JobContender implements Contender, AutoCloseable {

    private static final JsonMapper JSON = new JsonMapper();

    private final String name;
    private final LocalJob job;
    private final Map<String, Waiting> waiting = new ConcurrentHashMap<>();
    private final Thread reader;

    private record Waiting(long startNanos, CompletableFuture<Completed> completion) {}

    /**
     * @param job of requests; this contender closes it, and alone reads its answers
     */
    JobContender(String name, LocalJob job) {
        this.name = name;
        this.job = job;
        this.reader = new Thread(this::read, "completions of " + name);
        reader.start();
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public CompletableFuture<Completed> complete(String prompt) {
        String id = UUID.randomUUID().toString();
        CompletableFuture<Completed> completion = new CompletableFuture<>();
        waiting.put(id, new Waiting(System.nanoTime(), completion));
        String request =
                JSON.createObjectNode()
                        .put("id", id)
                        .put("prompt", prompt)
                        .put("temperature", 0)
                        .toString();
        job.send(
                new ProducerRecord<>(
                        job.input(),
                        id.getBytes(StandardCharsets.UTF_8),
                        request.getBytes(StandardCharsets.UTF_8)));
        return completion;
    }

    private void read() {
        try {
            while (true) {
                for (ConsumerRecord<byte[], byte[]> answer : job.poll()) {
                    answer(answer);
                }
            }
        } catch (InterruptedException e) {
            // Closed.
        }
    }

    private void answer(ConsumerRecord<byte[], byte[]> answer) {
        long now = System.nanoTime();
        Waiting asked = waiting.remove(new String(answer.key(), StandardCharsets.UTF_8));
        if (asked == null) {
            return;
        }
        if (!answer.topic().equals(job.output())) {
            asked.completion.completeExceptionally(
                    new IllegalStateException("a prompt has no completion"));
            return;
        }
        asked.completion.complete(completed(answer.value(), now - asked.startNanos));
    }

    private static Completed completed(byte[] value, long nanos) {
        JsonNode completion;
        try {
            completion = JSON.readTree(value);
        } catch (IOException e) {
            throw new UncheckedIOException("the job wrote no JSON", e);
        }
        JsonNode usage = completion.path("usage");
        JsonNode details = usage.path("completion_tokens_details");
        int accepted = details.path("accepted_prediction_tokens").asInt();
        return new Completed(
                completion.at("/choices/0/text").asText(),
                usage.path("completion_tokens").asInt(),
                0,
                nanos,
                accepted + details.path("rejected_prediction_tokens").asInt(),
                accepted);
    }

    @Override
    public void close() {
        reader.interrupt();
        try {
            reader.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        job.close();
    }
}
