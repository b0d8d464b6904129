package io.layerskip.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.layerskip.connectors.EnrichmentOptions;
import io.layerskip.jobs.JobType;
import io.layerskip.local.LocalJob;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;

/** The demo's second act: messages that are no requests, enriched with intent and slots. */
final class EnrichmentDemo {

    private static final JsonMapper JSON = new JsonMapper();
    private static final Duration CHECKPOINT_INTERVAL = Duration.ofSeconds(1);

    /** So many are shown. */
    private static final int SHOWN = 12;

    private static final String TEMPLATE = "{{channel}}: {{message}}\n";
    private static final String FIELD = "meaning";

    private final PrintWriter out;

    /** What came back. */
    private static final class Counts {
        private int enriched;
        private int asReference;
        private int deadLetters;
    }

    EnrichmentDemo(PrintWriter out) {
        this.out = out;
    }

    void show() throws Exception {
        out.println();
        out.println("Enriching messages, with the prompt \"" + TEMPLATE.strip() + "\" ...");
        out.flush();
        Configuration options =
                new Configuration()
                        .set(CheckpointingOptions.CHECKPOINTING_INTERVAL, CHECKPOINT_INTERVAL)
                        .set(EnrichmentOptions.PROMPT_TEMPLATE, TEMPLATE)
                        .set(EnrichmentOptions.OUTPUT_FIELD, FIELD)
                        .set(EnrichmentOptions.OUTPUT_FORMAT, EnrichmentOptions.OutputFormat.JSON);
        int cores = Runtime.getRuntime().availableProcessors();
        try (LocalJob job = LocalJob.start(options, cores, JobType.ENRICH)) {
            List<GoldenPrompt> prompts = GoldenPrompt.all();
            Map<String, GoldenPrompt> sent = new HashMap<>();
            for (int i = 0; i < prompts.size(); i++) {
                sent.put(send("m" + i, prompts.get(i), job), prompts.get(i));
            }
            send("{\"id\": \"nothing to go by\"}", job);
            report(sent, job);
        }
    }

    /** Returns the message's id. */
    private static String send(String id, GoldenPrompt prompt, LocalJob job) {
        // The bundled model was trained on messages with the name of their channel before them.
        String[] parts = prompt.prompt().strip().split(": ", 2);
        send(
                JSON.createObjectNode()
                        .put("id", id)
                        .put("channel", parts[0])
                        .put("message", parts[1])
                        .toString(),
                job);
        return id;
    }

    private static void send(String message, LocalJob job) {
        job.send(new ProducerRecord<>(job.input(), message.getBytes(StandardCharsets.UTF_8)));
    }

    private void report(Map<String, GoldenPrompt> sent, LocalJob job)
            throws IOException, InterruptedException {
        Counts counts = new Counts();
        LocalAnswers.await(sent.size() + 1, job, "messages", record -> show(record, sent, counts));
        out.println("...");
        out.printf(
                """

                messages enriched   %d (%d exactly as the reference)
                dead letters        %d
                """,
                counts.enriched, counts.asReference, counts.deadLetters);
        out.flush();
    }

    private void show(
            ConsumerRecord<byte[], byte[]> record, Map<String, GoldenPrompt> sent, Counts counts)
            throws IOException {
        if (record.topic().equals(LocalJob.DEAD_LETTERS)) {
            counts.deadLetters++;
            out.println(DemoReport.inOneLine(DemoReport.error(record)));
            return;
        }
        if (counts.enriched++ < SHOWN) {
            out.println(DemoReport.inOneLine(new String(record.value(), StandardCharsets.UTF_8)));
        }
        JsonNode message = JSON.readTree(record.value());
        JsonNode reference = JSON.readTree(sent.get(message.path("id").asText()).completion());
        counts.asReference += message.path(FIELD).equals(reference) ? 1 : 0;
    }
}
