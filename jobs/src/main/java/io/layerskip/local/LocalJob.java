package io.layerskip.local;

import io.layerskip.connectors.KafkaOptions;
import io.layerskip.jobs.GenerationJob;
import io.layerskip.jobs.JobType;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.CoreOptions;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.core.execution.JobClient;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * The job with all that it needs, in this process: a broker with the topics, Flink, and both ends,
 * where prompts are sent and what came of them is read.
 *
 * <pre>{@code
 * try (LocalJob job = LocalJob.start(options, 2, JobType.GENERATE)) {
 *     job.send(new ProducerRecord<>(LocalJob.PROMPTS, key, value));
 *     for (ConsumerRecord<byte[], byte[]> answer : job.poll()) {
 *         ...
 *     }
 * }
 * }</pre>
 */
public final class LocalJob implements AutoCloseable {

    public static final String PROMPTS = "prompts";
    public static final String COMPLETIONS = "completions";
    public static final String MESSAGES = "messages";
    public static final String ENRICHED = "enriched";
    public static final String DEAD_LETTERS = "dead-letters";

    private static final Duration POLL = Duration.ofMillis(200);

    private final EmbeddedBroker broker;
    private final JobType type;
    private final JobClient job;
    private final String webUi;
    private final KafkaProducer<byte[], byte[]> producer;
    private final KafkaConsumer<byte[], byte[]> consumer;

    private LocalJob(EmbeddedBroker broker, JobType type, JobClient job, String webUi) {
        this.broker = broker;
        this.type = type;
        this.job = job;
        this.webUi = webUi;
        this.producer = producer(broker.bootstrapServers());
        this.consumer = consumer(broker.bootstrapServers(), output(type));
    }

    private static String input(JobType type) {
        return type == JobType.ENRICH ? MESSAGES : PROMPTS;
    }

    private static String output(JobType type) {
        return type == JobType.ENRICH ? ENRICHED : COMPLETIONS;
    }

    /**
     * Starts a broker, then the job; takes seconds. The models are loaded later, with the first
     * prompts.
     *
     * @param options of the job; brokers and topics are set here
     * @param slots of the job, and partitions of each topic
     * @param type from prompts to completions, or from messages to enriched ones
     * @throws IllegalConfigurationException if an option is not allowed
     * @throws IOException if the broker does not start
     */
    public static LocalJob start(Configuration options, int slots, JobType type) throws Exception {
        EmbeddedBroker broker = EmbeddedBroker.start();
        try {
            broker.createTopics(slots, input(type), output(type), DEAD_LETTERS);
            Configuration configuration =
                    new Configuration(options)
                            .set(KafkaOptions.BOOTSTRAP_SERVERS, broker.bootstrapServers())
                            .set(KafkaOptions.SOURCE_TOPICS, List.of(input(type)))
                            .set(KafkaOptions.SINK_TOPIC, output(type))
                            .set(KafkaOptions.DEAD_LETTERS_TOPIC, DEAD_LETTERS)
                            .set(CoreOptions.DEFAULT_PARALLELISM, slots);
            LocalFlink flink = LocalFlink.create(configuration);
            GenerationJob.build(flink.environment(), configuration, type);
            return new LocalJob(broker, type, flink.environment().executeAsync(), flink.webUi());
        } catch (Exception | Error e) {
            broker.close();
            throw e;
        }
    }

    private static KafkaProducer<byte[], byte[]> producer(String bootstrapServers) {
        return new KafkaProducer<>(
                Map.of(
                        ProducerConfig.BOOTSTRAP_SERVERS_CONFIG,
                        bootstrapServers,
                        ProducerConfig.MAX_REQUEST_SIZE_CONFIG,
                        EmbeddedBroker.MESSAGE_MAX_BYTES),
                new ByteArraySerializer(),
                new ByteArraySerializer());
    }

    /** Reads from the beginning, committed records only, like a careful downstream does. */
    private static KafkaConsumer<byte[], byte[]> consumer(String bootstrapServers, String topic) {
        KafkaConsumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(
                        Map.of(
                                ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG,
                                bootstrapServers,
                                ConsumerConfig.GROUP_ID_CONFIG,
                                "answers",
                                ConsumerConfig.AUTO_OFFSET_RESET_CONFIG,
                                "earliest",
                                ConsumerConfig.ISOLATION_LEVEL_CONFIG,
                                "read_committed"),
                        new ByteArrayDeserializer(),
                        new ByteArrayDeserializer());
        consumer.subscribe(List.of(topic, DEAD_LETTERS));
        return consumer;
    }

    /** The topic that the job reads. */
    public String input() {
        return input(type);
    }

    /** The topic of what it makes of the records. */
    public String output() {
        return output(type);
    }

    /** The broker, for clients of one's own: {@code host:port}. */
    public String bootstrapServers() {
        return broker.bootstrapServers();
    }

    /** Address of Flink's web UI. */
    public String webUi() {
        return webUi;
    }

    /** Sends a record to a topic of the broker; does not wait until that has it. Thread-safe. */
    public void send(ProducerRecord<byte[], byte[]> record) {
        producer.send(record);
    }

    /**
     * Completions and dead letters that were committed since the last call; waits a moment for
     * them. For one thread.
     */
    public Iterable<ConsumerRecord<byte[], byte[]>> poll() throws InterruptedException {
        try {
            return consumer.poll(POLL);
        } catch (InterruptException e) {
            // Kafka's own is unchecked, and leaves the thread marked as interrupted.
            Thread.interrupted();
            throw new InterruptedException();
        }
    }

    /** Cancels the job and waits for its end, so that the broker outlives it. */
    @Override
    public void close() {
        // Ctrl-C may have interrupted this thread; it still has this to do.
        boolean interrupted = Thread.interrupted();
        try {
            consumer.close();
            producer.close();
        } finally {
            try {
                // A job that ended by itself cannot be cancelled, and has a failure for its result.
                job.cancel().handle((ignored, failure) -> Optional.empty()).join();
                job.getJobExecutionResult().handle((ignored, end) -> Optional.empty()).join();
            } finally {
                broker.close();
                if (interrupted) {
                    Thread.currentThread().interrupt();
                }
            }
        }
    }
}
