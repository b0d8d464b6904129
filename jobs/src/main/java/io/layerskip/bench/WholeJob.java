package io.layerskip.bench;

import com.fasterxml.jackson.databind.json.JsonMapper;
import io.layerskip.connectors.EnrichmentOptions;
import io.layerskip.engine.EngineSettings;
import io.layerskip.engine.GenerationEngine;
import io.layerskip.flink.LayerSkipConfiguration;
import io.layerskip.flink.LayerSkipOptions;
import io.layerskip.jobs.JobType;
import io.layerskip.local.LocalJob;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.commons.math3.stat.descriptive.DescriptiveStatistics;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;

/** The jobs from Kafka to Kafka against engines that are called directly. */
final class WholeJob implements Experiment {

    private static final int REQUESTS = 10_000;
    private static final int ROUNDS = 3;
    private static final Duration CHECKPOINT_INTERVAL = Duration.ofSeconds(10);
    private static final Duration PATIENCE = Duration.ofMinutes(15);
    private static final JsonMapper JSON = new JsonMapper();

    @Override
    public String name() {
        return "job";
    }

    @Override
    public String title() {
        return "The whole job, Kafka to Kafka";
    }

    @Override
    public Section run(ExperimentSetup setup) throws Exception {
        int slots = Runtime.getRuntime().availableProcessors();
        Configuration options =
                new Configuration(setup.options())
                        .set(LayerSkipOptions.THREADS, 1)
                        .set(CheckpointingOptions.CHECKPOINTING_INTERVAL, CHECKPOINT_INTERVAL);
        EngineSettings settings = LayerSkipConfiguration.from(options).toEngineSettings(slots);
        int inFlight = slots * options.get(LayerSkipOptions.CAPACITY);
        List<String> prompts = new ArrayList<>();
        for (int i = 0; i < REQUESTS; i++) {
            prompts.add(setup.prompts().get(i % setup.prompts().size()));
        }
        List<GenerationEngine> engines = new ArrayList<>();
        Measurement bare = new Measurement("engines alone");
        Rates generation = new Rates();
        Rates enrichment = new Rates();
        try (LocalJob generating = LocalJob.start(options, slots, JobType.GENERATE);
                LocalJob enriching =
                        LocalJob.start(
                                new Configuration(options)
                                        .set(EnrichmentOptions.PROMPT_TEMPLATE, "{{prompt}}"),
                                slots,
                                JobType.ENRICH)) {
            for (int i = 0; i < slots; i++) {
                engines.add(setup.open(settings));
            }
            Contender alone = new Alternating(engines, new AtomicInteger());
            // Rounds to warm up; they are a tenth as long.
            List<String> few = prompts.subList(0, REQUESTS / 10);
            Comparison.complete(alone, few, inFlight, new Measurement.Round());
            seconds(few, slots, generating);
            seconds(few, slots, enriching);
            for (int i = 0; i < ROUNDS; i++) {
                Measurement.Round round = new Measurement.Round();
                Comparison.complete(alone, prompts, inFlight, round);
                bare.add(round, round);
                double alonePerSecond = bare.promptsPerSecond().getElement(i);
                double generated = REQUESTS / seconds(prompts, slots, generating);
                generation.add(generated, alonePerSecond, generated);
                enrichment.add(
                        REQUESTS / seconds(prompts, slots, enriching), alonePerSecond, generated);
            }
        } finally {
            engines.forEach(GenerationEngine::close);
        }
        Table table =
                new Table(
                        "",
                        "prompts per second",
                        "times the engines alone",
                        "times the generation job");
        table.row("engines alone", Spread.of(bare.promptsPerSecond()), 1.0, "-");
        generation.addTo(table, "generation job");
        enrichment.addTo(table, "enrichment job");
        return new Section(
                this,
                ("%d prompts, %d slots of one thread each, %d requests in flight in all; a job's"
                                + " time is from the first prompt's sending to the last completion's"
                                + " timestamp, with a checkpoint every %d s.")
                        .formatted(REQUESTS, slots, inFlight, CHECKPOINT_INTERVAL.toSeconds()),
                table);
    }

    /**
     * Sends prompts, to each partition as many, and waits for what comes of all; the time until the
     * last was written.
     */
    private static double seconds(List<String> prompts, int partitions, LocalJob job)
            throws InterruptedException {
        long start = System.currentTimeMillis();
        for (int i = 0; i < prompts.size(); i++) {
            String request = JSON.createObjectNode().put("prompt", prompts.get(i)).toString();
            // The producer's own choice would be uneven over so few batches, and then one slot
            // would work the rest off alone.
            job.send(
                    new ProducerRecord<>(
                            job.input(),
                            i % partitions,
                            null,
                            request.getBytes(StandardCharsets.UTF_8)));
        }
        long last = start;
        int answers = 0;
        while (answers < prompts.size()) {
            if (System.currentTimeMillis() > start + PATIENCE.toMillis()) {
                throw new IllegalStateException(
                        "%d of %d answers after %s".formatted(answers, prompts.size(), PATIENCE));
            }
            for (ConsumerRecord<byte[], byte[]> answer : job.poll()) {
                if (!answer.topic().equals(job.output())) {
                    throw new IllegalStateException("a prompt has no completion");
                }
                last = Math.max(last, answer.timestamp());
                answers++;
            }
        }
        return (double) (last - start) / TimeUnit.SECONDS.toMillis(1);
    }

    /** What a job reached in each round, and how that compares. */
    private static final class Rates {
        private final DescriptiveStatistics perSecond = new DescriptiveStatistics();
        private final DescriptiveStatistics ofAlone = new DescriptiveStatistics();
        private final DescriptiveStatistics ofGeneration = new DescriptiveStatistics();

        void add(double rate, double alone, double generation) {
            perSecond.addValue(rate);
            ofAlone.addValue(rate / alone);
            ofGeneration.addValue(rate / generation);
        }

        void addTo(Table table, String name) {
            table.row(name, Spread.of(perSecond), Spread.of(ofAlone), Spread.of(ofGeneration));
        }
    }

    /** As many engines as the job has, each with its share of the prompts. */
    private record Alternating(List<GenerationEngine> engines, AtomicInteger turn)
            implements Contender {

        @Override
        public String name() {
            return "engines alone";
        }

        @Override
        public CompletableFuture<Completed> complete(String prompt) {
            GenerationEngine next = engines.get(turn.getAndIncrement() % engines.size());
            return EngineContender.asSet(name(), next).complete(prompt);
        }
    }
}
