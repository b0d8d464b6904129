package io.layerskip.connectors;

import io.layerskip.connectors.internal.Brokers;
import io.layerskip.connectors.internal.ExactlyOnceSink;
import io.layerskip.connectors.internal.OutgoingRecordSerializer;
import io.layerskip.connectors.internal.RoutedKafkaSource;
import io.layerskip.connectors.internal.SourceRecordDeserializer;
import io.layerskip.engine.GenerationRequest;
import io.layerskip.flink.OptionReader;
import java.time.Duration;
import java.util.List;
import java.util.OptionalLong;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.functions.Partitioner;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.core.execution.CheckpointingMode;
import org.apache.flink.streaming.api.environment.CheckpointConfig;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The Kafka ends of a job, and what stands beside them: made once the brokers have confirmed that
 * the settings can work.
 *
 * <pre>{@code
 * KafkaPipeline kafka =
 *         KafkaPipeline.connect(KafkaConfiguration.from(config), env.getCheckpointConfig());
 *
 * SingleOutputStreamOperator<GenerationRequest> requests =
 *         env.fromSource(kafka.source(), WatermarkStrategy.noWatermarks(), "prompts")
 *                 .process(kafka.parseRequests());
 * DataStream<GenerationResult> results = ...;
 * results.map(kafka.formatResults("my-model"))
 *         .union(requests.getSideOutput(ParseRequests.DEAD_LETTERS))
 *         .sinkTo(kafka.sink());
 * }</pre>
 *
 * <p>The sink's credentials need, beyond writing to its topics, to describe and read them, to
 * describe and write the transactional ids that start with its prefix, and to describe the cluster:
 * at each start it lists the transactions that an earlier run left open and aborts them, so that
 * nobody who reads committed records waits for their timeout, and when a commit is refused it asks
 * what became of the transaction.
 */
@PublicEvolving
public final class KafkaPipeline {

    private static final Logger LOG = LoggerFactory.getLogger(KafkaPipeline.class);

    private static final Duration ANSWER_TIMEOUT = Duration.ofSeconds(15);

    /** A topic's max.message.bytes where nobody has set it. */
    private static final int DEFAULT_MAX_MESSAGE_BYTES = 1_048_588;

    private final KafkaConfiguration configuration;
    private final SourceRange range;
    private final int maxCompletionBytes;
    private final int maxDeadLetterBytes;

    private KafkaPipeline(
            KafkaConfiguration configuration,
            SourceRange range,
            int maxCompletionBytes,
            int maxDeadLetterBytes) {
        this.configuration = configuration;
        this.range = range;
        this.maxCompletionBytes = maxCompletionBytes;
        this.maxDeadLetterBytes = maxDeadLetterBytes;
    }

    /**
     * Checks the settings against the job's checkpoints and against the brokers: the topics exist,
     * and a transaction may stay open as long as a checkpoint can take. Where the source topics end
     * is found out here, once, if reading starts there.
     *
     * @throws IllegalConfigurationException if they do not fit, or no broker answers within 15 s
     */
    public static KafkaPipeline connect(
            KafkaConfiguration configuration, CheckpointConfig checkpoints) {
        checkCheckpoints(configuration, checkpoints);
        SourceRange range;
        try (Brokers brokers = Brokers.of(configuration.consumerProperties(), ANSWER_TIMEOUT)) {
            range = SourceRange.of(configuration, brokers);
        }
        try (Brokers brokers = Brokers.of(configuration.producerProperties(), ANSWER_TIMEOUT)) {
            String completions = configuration.sinkTopic();
            String deadLetters = configuration.deadLettersTopic();
            brokers.checkTopics(KafkaOptions.SINK_TOPIC.key(), List.of(completions));
            brokers.checkTopics(KafkaOptions.DEAD_LETTERS_TOPIC.key(), List.of(deadLetters));
            checkNotCompacted(KafkaOptions.SINK_TOPIC, completions, brokers);
            checkNotCompacted(KafkaOptions.DEAD_LETTERS_TOPIC, deadLetters, brokers);
            if (configuration.isExactlyOnce()) {
                checkTransactionTimeout(configuration, brokers.transactionMaxTimeoutMs());
            }
            OptionalLong deadLetterMaximum = brokers.maxMessageBytes(deadLetters);
            checkDeadLettersFit(deadLetters, deadLetterMaximum);
            return new KafkaPipeline(
                    configuration,
                    range,
                    largestRecord(configuration, completions, brokers.maxMessageBytes(completions)),
                    largestRecord(configuration, deadLetters, deadLetterMaximum));
        }
    }

    static void checkCheckpoints(KafkaConfiguration configuration, CheckpointConfig checkpoints) {
        long interval = checkpoints.getCheckpointInterval();
        if (interval <= 0) {
            throw new IllegalConfigurationException(
                    OptionReader.refusal(
                            CheckpointingOptions.CHECKPOINTING_INTERVAL,
                            "missing",
                            "a duration such as 10 s; completions are committed on checkpoints"));
        }
        if (checkpoints.getCheckpointingConsistencyMode() != CheckpointingMode.EXACTLY_ONCE) {
            throw new IllegalConfigurationException(
                    OptionReader.refusal(
                            CheckpointingOptions.CHECKPOINTING_CONSISTENCY_MODE,
                            checkpoints.getCheckpointingConsistencyMode(),
                            "EXACTLY_ONCE"));
        }
        if (configuration.isExactlyOnce()) {
            checkTransactionOutlastsCheckpoints(configuration, checkpoints);
        }
    }

    private static void checkTransactionOutlastsCheckpoints(
            KafkaConfiguration configuration, CheckpointConfig checkpoints) {
        // A transaction that is opened right after one checkpoint has begun is committed when the
        // next one is complete, which may take that one's whole timeout.
        long longest =
                Math.max(
                                checkpoints.getCheckpointInterval(),
                                checkpoints.getMinPauseBetweenCheckpoints())
                        + checkpoints.getCheckpointTimeout();
        Duration transaction = configuration.transactionTimeout();
        if (ExactlyOnceSink.commitLimit(transaction).toMillis() <= longest) {
            throw new IllegalConfigurationException(
                    OptionReader.refusal(
                            KafkaOptions.SINK_TRANSACTION_TIMEOUT,
                            transaction.toMillis() + " ms",
                            ("a time of which 95 %% is more than %s (or %s, if that is longer) and"
                                            + " %s together, %d ms")
                                    .formatted(
                                            CheckpointingOptions.CHECKPOINTING_INTERVAL.key(),
                                            CheckpointingOptions.MIN_PAUSE_BETWEEN_CHECKPOINTS
                                                    .key(),
                                            CheckpointingOptions.CHECKPOINTING_TIMEOUT.key(),
                                            longest)));
        }
    }

    /** A compacted topic refuses records without key, and prompts need not have one. */
    private static void checkNotCompacted(
            ConfigOption<String> option, String topic, Brokers brokers) {
        if (brokers.isCompacted(topic)) {
            throw new IllegalConfigurationException(
                    OptionReader.refusal(
                            option,
                            topic + ", whose cleanup.policy has compact",
                            "a topic that takes records without key, with cleanup.policy delete"));
        }
    }

    private static void checkDeadLettersFit(String topic, OptionalLong topicMaximum) {
        if (topicMaximum.isPresent()
                && topicMaximum.getAsLong() < DeadLetterFormat.MIN_RECORD_BYTES) {
            throw new IllegalConfigurationException(
                    OptionReader.refusal(
                            KafkaOptions.DEAD_LETTERS_TOPIC,
                            "%s, whose max.message.bytes is %d"
                                    .formatted(topic, topicMaximum.getAsLong()),
                            "a topic with max.message.bytes of at least "
                                    + DeadLetterFormat.MIN_RECORD_BYTES));
        }
    }

    private static void checkTransactionTimeout(
            KafkaConfiguration configuration, OptionalLong brokerMaximum) {
        long timeout = configuration.transactionTimeout().toMillis();
        if (brokerMaximum.isPresent() && timeout > brokerMaximum.getAsLong()) {
            throw new IllegalConfigurationException(
                    OptionReader.refusal(
                            KafkaOptions.SINK_TRANSACTION_TIMEOUT,
                            timeout + " ms",
                            "at most the broker's transaction.max.timeout.ms, %d ms"
                                    .formatted(brokerMaximum.getAsLong())));
        }
    }

    /**
     * The size of the largest record batch for a topic, in bytes.
     *
     * @param topicMaximum the topic's max.message.bytes; empty if it may not be seen
     */
    static int largestRecord(
            KafkaConfiguration configuration, String topic, OptionalLong topicMaximum) {
        int allowed = configuration.maxRecordBytes();
        if (topicMaximum.isEmpty() && !configuration.setsMaxRecordBytes()) {
            LOG.info(
                    "max.message.bytes of topic {} may not be seen; taken to be Kafka's default, {}"
                            + " bytes, as option {} is not set",
                    topic,
                    DEFAULT_MAX_MESSAGE_BYTES,
                    KafkaOptions.SINK_MAX_RECORD_SIZE.key());
            return DEFAULT_MAX_MESSAGE_BYTES;
        }
        if (topicMaximum.isEmpty() || topicMaximum.getAsLong() >= allowed) {
            return allowed;
        }
        LOG.info(
                "Topic {} takes records of up to {} bytes (max.message.bytes); option {} is {}",
                topic,
                topicMaximum.getAsLong(),
                KafkaOptions.SINK_MAX_RECORD_SIZE.key(),
                allowed);
        return (int) topicMaximum.getAsLong();
    }

    /** Reads the source topics; commits the group's offsets when a checkpoint is complete. */
    public KafkaSource<SourceRecord> source() {
        return range.applyTo(
                        KafkaSource.<SourceRecord>builder()
                                .setProperties(configuration.consumerProperties())
                                .setDeserializer(new SourceRecordDeserializer()))
                .build();
    }

    /**
     * How many offsets lie between where reading starts without a checkpoint and where it ends: the
     * number of records, where none of the topics is compacted or written in transactions, else
     * more than that. Empty if reading has no end.
     */
    public OptionalLong recordsToRead() {
        return range.records();
    }

    /**
     * Reads the source topics as {@link #source} does, and each partition in the subtask that
     * {@link #routing} says, in every parallelism. With both, results leave in the order of each
     * partition's records:
     *
     * <pre>{@code
     * LayerSkipAsyncFunction.generate(
     *         requests, configuration, kafka.routing(), parse.checkpointedForm())
     * }</pre>
     *
     * <p>A job may change from one source to the other: their state is the same.
     */
    public Source<SourceRecord, ?, ?> routedSource() {
        return new RoutedKafkaSource<>(source());
    }

    /** Which subtask, of so many, a request comes to from a routed source. */
    public Partitioner<GenerationRequest> routing() {
        return new KafkaRouting();
    }

    /** Makes requests of records that hold them, see {@link CompletionRequestFormat}. */
    public ParseRequests parseRequests() {
        return parseRequests(new CompletionRequestFormat(configuration.maxValueBytes()));
    }

    /** Makes requests of records that are to be enriched, see {@link PromptTemplate}. */
    public ParseRequests parseRecords(EnrichmentConfiguration enrichment) {
        return parseRequests(
                new EnrichmentRequestFormat(enrichment, configuration.maxValueBytes()));
    }

    private ParseRequests parseRequests(RequestFormat format) {
        return new ParseRequests(format, deadLetterFormat());
    }

    /**
     * Makes records of results.
     *
     * @param model name of the model, as completions give it
     */
    public FormatResults formatResults(String model) {
        return formatResults(new CompletionFormat(model));
    }

    /** Writes results into the records that they are of. */
    public FormatResults enrichRecords(EnrichmentConfiguration enrichment) {
        return formatResults(new EnrichedRecordFormat(enrichment));
    }

    private FormatResults formatResults(ResultFormat format) {
        return new FormatResults(
                configuration.sinkTopic(), maxCompletionBytes, format, deadLetterFormat());
    }

    private DeadLetterFormat deadLetterFormat() {
        return new DeadLetterFormat(configuration.deadLettersTopic(), maxDeadLetterBytes);
    }

    /**
     * Writes completions and dead letters: in transactions, which a checkpoint commits for both
     * together, or at once, as the delivery guarantee says. The state is the same, so a job that
     * was stopped with a savepoint may change from one to the other.
     */
    public Sink<OutgoingRecord> sink() {
        if (!configuration.isExactlyOnce()) {
            return KafkaSink.<OutgoingRecord>builder()
                    .setKafkaProducerConfig(configuration.producerProperties())
                    .setDeliveryGuarantee(DeliveryGuarantee.AT_LEAST_ONCE)
                    .setRecordSerializer(new OutgoingRecordSerializer(sinkTopics()))
                    .build();
        }
        return new ExactlyOnceSink(
                configuration.producerProperties(),
                configuration.transactionalIdPrefix(),
                sinkTopics(),
                configuration.acceptsLostTransactions());
    }

    private List<String> sinkTopics() {
        return List.of(configuration.sinkTopic(), configuration.deadLettersTopic());
    }
}
