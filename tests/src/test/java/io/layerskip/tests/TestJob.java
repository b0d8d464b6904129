package io.layerskip.tests;

import io.layerskip.jobs.GenerationJob;
import io.layerskip.jobs.JobType;
import io.layerskip.local.EmbeddedBroker;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.internals.RecordHeader;

/** A job between topics of its own, on the test's cluster. */
final class TestJob {

    final String input;
    final String output;
    final String deadLetters;
    final KafkaTopics topics;

    private final EmbeddedBroker broker;
    private final JobType type;
    private final int parallelism;

    private TestJob(EmbeddedBroker broker, JobType type, int parallelism) {
        String test = UUID.randomUUID().toString();
        this.input = "input-" + test;
        this.output = "output-" + test;
        this.deadLetters = "dead-letters-" + test;
        this.topics = new KafkaTopics(broker);
        this.broker = broker;
        this.type = type;
        this.parallelism = parallelism;
    }

    /** Makes the topics, each with as many partitions as the job has subtasks. */
    static TestJob create(EmbeddedBroker broker, JobType type, int parallelism) throws IOException {
        TestJob job = new TestJob(broker, type, parallelism);
        broker.createTopics(parallelism, job.input, job.output, job.deadLetters);
        return job;
    }

    JobClient submit(Map<String, String> changes) throws Exception {
        StreamExecutionEnvironment env = environment();
        build(env, changes);
        return env.executeAsync();
    }

    void build(Map<String, String> changes) {
        build(environment(), changes);
    }

    void build(StreamExecutionEnvironment env, Map<String, String> changes) {
        GenerationJob.build(env, options(changes), type);
    }

    StreamExecutionEnvironment environment() {
        Configuration configuration = new Configuration();
        configuration.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, Duration.ofMillis(200));
        configuration.set(RestartStrategyOptions.RESTART_STRATEGY, "fixed-delay");
        configuration.set(RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_ATTEMPTS, 20);
        configuration.set(
                RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_DELAY, Duration.ofMillis(100));
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.getExecutionEnvironment(configuration);
        env.setParallelism(parallelism);
        return env;
    }

    private Configuration options(Map<String, String> changes) {
        Map<String, String> options = new HashMap<>();
        options.put("kafka.bootstrap.servers", broker.bootstrapServers());
        options.put("kafka.source.topics", input);
        options.put("kafka.sink.topic", output);
        options.put("kafka.dead-letters.topic", deadLetters);
        options.putAll(changes);
        options.values().removeIf(String::isEmpty);
        return Configuration.fromMap(options);
    }

    /** A record for the input, with a header. */
    ProducerRecord<byte[], byte[]> record(String key, String value) {
        return new ProducerRecord<>(
                input, null, utf8(key), utf8(value), List.of(new RecordHeader("trace", utf8("7"))));
    }

    /** Writes the bundled model into a folder, with a chat template. */
    static void writeModel(Path folder, String chatTemplate) throws IOException {
        BundledModel.copyTo(folder);
        Files.writeString(folder.resolve("chat_template.jinja"), chatTemplate);
    }

    /** Writes the bundled model into a folder, with other weights: it says other things. */
    static void writeOtherModel(Path folder) throws IOException {
        BundledModel.copyTo(folder);
        Path weights = folder.resolve("model.safetensors");
        byte[] bytes = Files.readAllBytes(weights);
        // The signs of half of the final norm, which the file ends with: 256 numbers of 16 bits.
        for (int i = 1; i < 256; i += 2) {
            bytes[bytes.length - 2 * i + 1] ^= (byte) 0x80;
        }
        Files.write(weights, bytes);
    }

    static String header(ConsumerRecord<byte[], byte[]> record, String key) {
        return text(record.headers().lastHeader(key).value());
    }

    static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }

    static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
