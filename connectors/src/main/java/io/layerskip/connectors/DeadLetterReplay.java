package io.layerskip.connectors;

import io.layerskip.connectors.internal.Brokers;
import io.layerskip.flink.AllowedValues;
import io.layerskip.flink.OptionReader;
import java.io.IOException;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.TimeUnit;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Puts dead letters back as the records that they were, each once.
 *
 * <pre>{@code
 * ReplayReport report =
 *         DeadLetterReplay.connect(options, "flink-layerskip-replay", DeadLetterSelection.all())
 *                 .run((passed, all) -> {});
 * }</pre>
 *
 * <p>A consumer group remembers which letters have been put back, see {@link ReplayedLetters}. What
 * it remembers is written in the transaction that puts them back, and read after an earlier run of
 * the same group is fenced and its open transaction ended: so a run that is killed, or one that is
 * started beside another, neither loses nor doubles a letter. A run ends where the topic ended when
 * it began, so that it does not chase its own letters when they come back.
 *
 * <p>A record gets its own bytes, key, headers, partition and, if the topic would keep a record of
 * that age, timestamp, and a header with the number of its {@link DeadLetterFormat#TRIES tries}.
 * Letters of one partition are put back in their order; they come after what is in the topic.
 */
@PublicEvolving
public final class DeadLetterReplay {

    private static final Duration ANSWER_TIMEOUT = Duration.ofSeconds(15);

    /** Readers of committed records wait so long behind a run that was killed, at the most. */
    private static final Duration TRANSACTION_TIMEOUT = Duration.ofMinutes(1);

    /** Kafka's default, for what may not be seen. */
    private static final Duration OFFSETS_RETENTION = Duration.ofDays(7);

    private final KafkaConfiguration configuration;
    private final String group;
    private final DeadLetterSelection selection;
    private final Map<String, ReplayTarget> targets;

    /** Before this time runs may have been that the brokers have forgotten; in ms since 1970. */
    private final long rememberedSince;

    private DeadLetterReplay(
            KafkaConfiguration configuration,
            String group,
            DeadLetterSelection selection,
            Map<String, ReplayTarget> targets,
            long rememberedSince) {
        this.configuration = configuration;
        this.group = group;
        this.selection = selection;
        this.targets = targets;
        this.rememberedSince = rememberedSince;
    }

    /**
     * Checks the settings against the brokers; nothing is read or written yet.
     *
     * @param options the job's; letters go from {@link KafkaOptions#DEAD_LETTERS_TOPIC} to {@link
     *     KafkaOptions#SOURCE_TOPICS}, with the consumer's settings of the source and the
     *     producer's of the sink
     * @param group the consumer group that remembers what was put back; not the job's
     * @throws IllegalConfigurationException if a setting cannot work, or no broker answers within
     *     15 s
     */
    public static DeadLetterReplay connect(
            ReadableConfig options, String group, DeadLetterSelection selection) {
        KafkaConfiguration configuration = KafkaConfiguration.forReplay(options);
        checkTopicsAreNamed(configuration, selection);
        String from = configuration.deadLettersTopic();
        String cluster;
        try (Brokers brokers = Brokers.of(configuration.consumerProperties(), ANSWER_TIMEOUT)) {
            brokers.checkTopics(KafkaOptions.DEAD_LETTERS_TOPIC.key(), List.of(from));
            cluster = brokers.clusterId();
        }
        try (Brokers brokers = Brokers.of(configuration.producerProperties(), ANSWER_TIMEOUT)) {
            if (!brokers.clusterId().equals(cluster)) {
                throw new IllegalConfigurationException(
                        "options kafka.source.bootstrap.servers and kafka.sink.bootstrap.servers"
                                + " name different clusters; allowed: the same one, as a"
                                + " transaction does not span two");
            }
            brokers.checkTopics(KafkaOptions.SOURCE_TOPICS.key(), configuration.sourceTopics());
            Map<String, ReplayTarget> targets = new HashMap<>();
            for (String topic : configuration.sourceTopics()) {
                targets.put(topic, ReplayTarget.of(topic, configuration, brokers));
            }
            long retentionMs =
                    TimeUnit.MINUTES.toMillis(
                            brokers.offsetsRetentionMinutes()
                                    .orElse(OFFSETS_RETENTION.toMinutes()));
            return new DeadLetterReplay(
                    configuration,
                    group,
                    selection,
                    targets,
                    System.currentTimeMillis() - retentionMs);
        }
    }

    private static void checkTopicsAreNamed(
            KafkaConfiguration configuration, DeadLetterSelection selection) {
        List<String> topics = configuration.sourceTopics();
        if (topics.isEmpty()) {
            throw refused(
                    KafkaOptions.SOURCE_TOPICS,
                    "missing",
                    AllowedValues.of(KafkaOptions.SOURCE_TOPICS).words());
        }
        if (selection.fromAnyTopic() && topics.size() > 1) {
            throw refused(
                    KafkaOptions.SOURCE_TOPICS,
                    String.join(",", topics),
                    "one topic, where records of any topic are put into it");
        }
    }

    private static IllegalConfigurationException refused(
            ConfigOption<?> option, String found, String allowed) {
        return new IllegalConfigurationException(OptionReader.refusal(option, found, allowed));
    }

    /**
     * Finds what {@link #run} would do, and does nothing of it.
     *
     * @param progress is told how many of the topic's offsets have been passed, and of how many
     */
    public ReplayReport dryRun(Progress progress) throws IOException, InterruptedException {
        return explained(
                () -> {
                    try (KafkaConsumer<byte[], byte[]> consumer = consumer()) {
                        return pass(consumer, Optional.empty()).run(progress);
                    }
                });
    }

    /**
     * Puts the letters back.
     *
     * @param progress is told how many of the topic's offsets have been passed, and of how many
     * @throws IOException if the brokers refuse, fail or do not answer, or if another run of the
     *     group has begun; what was put back until then stays so, and is remembered
     */
    public ReplayReport run(Progress progress) throws IOException, InterruptedException {
        return explained(
                () -> {
                    try (KafkaConsumer<byte[], byte[]> consumer = consumer();
                            KafkaProducer<byte[], byte[]> producer = producer()) {
                        // Ends what an earlier run left open, and that run. So what the group has
                        // committed, which is asked for after this, is final.
                        producer.initTransactions();
                        return pass(consumer, Optional.of(producer)).run(progress);
                    }
                });
    }

    private ReplayPass pass(
            KafkaConsumer<byte[], byte[]> consumer,
            Optional<KafkaProducer<byte[], byte[]>> producer) {
        return new ReplayPass(
                configuration.deadLettersTopic(),
                selection,
                targets,
                rememberedSince,
                consumer,
                producer);
    }

    /** Is told how far a run has come. */
    @FunctionalInterface
    public interface Progress {
        void passed(long offsets, long all);
    }

    /** Work that Kafka's clients may refuse with exceptions of theirs. */
    @FunctionalInterface
    private interface Work {
        ReplayReport call() throws IOException;
    }

    private ReplayReport explained(Work work) throws IOException, InterruptedException {
        try {
            return work.call();
        } catch (InterruptException e) {
            // Kafka's exception sets the flag.
            Thread.interrupted();
            InterruptedException interrupted = new InterruptedException(e.getMessage());
            interrupted.initCause(e);
            throw interrupted;
        } catch (KafkaException e) {
            if (isFenced(e)) {
                throw new IOException(
                        "another replay from %s with the group %s has begun and goes on in the"
                                        .formatted(configuration.deadLettersTopic(), group)
                                + " place of this one",
                        e);
            }
            Throwable reason = e.getCause() == null ? e : e.getCause();
            throw new IOException(
                    "dead letters cannot be put back: %s; what was put back before is remembered by"
                                    .formatted(reason.getMessage())
                            + " the group "
                            + group,
                    e);
        }
    }

    private static boolean isFenced(Throwable failure) {
        for (Throwable e = failure; e != null; e = e.getCause()) {
            if (e instanceof ProducerFencedException
                    || e instanceof InvalidProducerEpochException) {
                return true;
            }
        }
        return false;
    }

    private KafkaConsumer<byte[], byte[]> consumer() {
        Properties properties = configuration.consumerProperties();
        properties.setProperty(ConsumerConfig.GROUP_ID_CONFIG, group);
        properties.setProperty(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, "false");
        properties.setProperty(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        // A letter that was taken back was none.
        properties.setProperty(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed");
        return new KafkaConsumer<>(
                properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private KafkaProducer<byte[], byte[]> producer() {
        Properties properties = configuration.producerProperties();
        properties.setProperty(
                ProducerConfig.TRANSACTIONAL_ID_CONFIG,
                group + ":" + configuration.deadLettersTopic());
        properties.setProperty(
                ProducerConfig.TRANSACTION_TIMEOUT_CONFIG,
                Long.toString(
                        Math.min(
                                TRANSACTION_TIMEOUT.toMillis(),
                                configuration.transactionTimeout().toMillis())));
        return new KafkaProducer<>(
                properties, new ByteArraySerializer(), new ByteArraySerializer());
    }
}
