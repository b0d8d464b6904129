package io.layerskip.bench;

import com.fasterxml.jackson.databind.json.JsonMapper;
import io.layerskip.connectors.KafkaOptions;
import io.layerskip.engine.EngineSettings;
import io.layerskip.engine.GenerationEngine;
import io.layerskip.flink.LayerSkipConfiguration;
import io.layerskip.flink.LayerSkipOptions;
import io.layerskip.jobs.GenerationJob;
import io.layerskip.local.EmbeddedBroker;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.commons.math3.stat.descriptive.DescriptiveStatistics;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.CoreOptions;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** The job from Kafka to Kafka against engines that are called directly. */
final class WholeJob implements Experiment {

    private static final String PROMPTS = "prompts";
    private static final String COMPLETIONS = "completions";
    private static final String DEAD_LETTERS = "dead-letters";
    private static final int REQUESTS = 10_000;
    private static final int ROUNDS = 3;
    private static final Duration CHECKPOINT_INTERVAL = Duration.ofSeconds(10);
    private static final Duration POLL = Duration.ofMillis(200);
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
        Configuration options = new Configuration(setup.options()).set(LayerSkipOptions.THREADS, 1);
        EngineSettings settings = LayerSkipConfiguration.from(options).toEngineSettings(slots);
        int inFlight = slots * options.get(LayerSkipOptions.CAPACITY);
        List<String> prompts = new ArrayList<>();
        for (int i = 0; i < REQUESTS; i++) {
            prompts.add(setup.prompts().get(i % setup.prompts().size()));
        }
        List<GenerationEngine> engines = new ArrayList<>();
        Measurement bare = new Measurement("engines alone");
        DescriptiveStatistics job = new DescriptiveStatistics();
        DescriptiveStatistics share = new DescriptiveStatistics();
        try (EmbeddedBroker broker = EmbeddedBroker.start();
                KafkaProducer<byte[], byte[]> producer = producer(broker);
                KafkaConsumer<byte[], byte[]> consumer = consumer(broker)) {
            for (int i = 0; i < slots; i++) {
                engines.add(setup.open(settings));
            }
            broker.createTopics(slots, PROMPTS, COMPLETIONS, DEAD_LETTERS);
            consumer.subscribe(List.of(COMPLETIONS, DEAD_LETTERS));
            JobClient client = start(broker, options, slots);
            try {
                Contender alone = new Alternating(engines, new AtomicInteger());
                // Rounds to warm up; they are a tenth as long.
                List<String> few = prompts.subList(0, REQUESTS / 10);
                Comparison.complete(alone, few, inFlight, new Measurement.Round());
                seconds(few, slots, producer, consumer);
                for (int i = 0; i < ROUNDS; i++) {
                    Measurement.Round round = new Measurement.Round();
                    Comparison.complete(alone, prompts, inFlight, round);
                    bare.add(round, round);
                    double rate = REQUESTS / seconds(prompts, slots, producer, consumer);
                    job.addValue(rate);
                    share.addValue(rate / bare.promptsPerSecond().getElement(i));
                }
            } finally {
                client.cancel().get();
                client.getJobExecutionResult().handle((result, end) -> Optional.empty()).get();
            }
        } finally {
            engines.forEach(GenerationEngine::close);
        }
        Table table = new Table("", "prompts per second", "times the engines alone");
        table.row("engines alone", Spread.of(bare.promptsPerSecond()), 1.0);
        table.row("whole job", Spread.of(job), Spread.of(share));
        return new Section(
                this,
                ("%d prompts, %d slots of one thread each, %d requests in flight in all; the job's"
                                + " time is from the first prompt's sending to the last completion's"
                                + " timestamp, with a checkpoint every %d s.")
                        .formatted(REQUESTS, slots, inFlight, CHECKPOINT_INTERVAL.toSeconds()),
                table);
    }

    private static JobClient start(EmbeddedBroker broker, Configuration options, int slots)
            throws Exception {
        Configuration configuration =
                new Configuration(options)
                        .set(KafkaOptions.BOOTSTRAP_SERVERS, broker.bootstrapServers())
                        .set(KafkaOptions.SOURCE_TOPICS, List.of(PROMPTS))
                        .set(KafkaOptions.SINK_TOPIC, COMPLETIONS)
                        .set(KafkaOptions.DEAD_LETTERS_TOPIC, DEAD_LETTERS)
                        .set(CoreOptions.DEFAULT_PARALLELISM, slots)
                        .set(CheckpointingOptions.CHECKPOINTING_INTERVAL, CHECKPOINT_INTERVAL);
        StreamExecutionEnvironment environment =
                StreamExecutionEnvironment.createLocalEnvironment(
                        slots, GenerationJob.flinkSettings(configuration));
        GenerationJob.build(environment, configuration);
        return environment.executeAsync();
    }

    /**
     * Sends prompts, to each partition as many, and waits for what comes of all; the time until the
     * last was written.
     */
    private static double seconds(
            List<String> prompts,
            int partitions,
            KafkaProducer<byte[], byte[]> producer,
            KafkaConsumer<byte[], byte[]> consumer)
            throws Exception {
        long start = System.currentTimeMillis();
        for (int i = 0; i < prompts.size(); i++) {
            String request = JSON.createObjectNode().put("prompt", prompts.get(i)).toString();
            // The producer's own choice would be uneven over so few batches, and then one slot
            // would work the rest off alone.
            producer.send(
                    new ProducerRecord<>(
                            PROMPTS,
                            i % partitions,
                            null,
                            request.getBytes(StandardCharsets.UTF_8)));
        }
        producer.flush();
        long last = start;
        int answers = 0;
        while (answers < prompts.size()) {
            if (System.currentTimeMillis() > start + PATIENCE.toMillis()) {
                throw new IllegalStateException(
                        "%d of %d answers after %s".formatted(answers, prompts.size(), PATIENCE));
            }
            for (ConsumerRecord<byte[], byte[]> answer : consumer.poll(POLL)) {
                if (!answer.topic().equals(COMPLETIONS)) {
                    throw new IllegalStateException("a prompt has no completion");
                }
                last = Math.max(last, answer.timestamp());
                answers++;
            }
        }
        return (double) (last - start) / TimeUnit.SECONDS.toMillis(1);
    }

    private static KafkaProducer<byte[], byte[]> producer(EmbeddedBroker broker) {
        return new KafkaProducer<>(
                Map.of(ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, broker.bootstrapServers()),
                new ByteArraySerializer(),
                new ByteArraySerializer());
    }

    private static KafkaConsumer<byte[], byte[]> consumer(EmbeddedBroker broker) {
        return new KafkaConsumer<>(
                Map.of(
                        ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG,
                        broker.bootstrapServers(),
                        ConsumerConfig.GROUP_ID_CONFIG,
                        "bench",
                        ConsumerConfig.AUTO_OFFSET_RESET_CONFIG,
                        "earliest",
                        ConsumerConfig.ISOLATION_LEVEL_CONFIG,
                        "read_committed"),
                new ByteArrayDeserializer(),
                new ByteArrayDeserializer());
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
