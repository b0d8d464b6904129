package io.layerskip.jobs;

import io.layerskip.connectors.KafkaConfiguration;
import io.layerskip.connectors.KafkaOptions;
import io.layerskip.connectors.KafkaPipeline;
import io.layerskip.connectors.KafkaSecrets;
import io.layerskip.connectors.OutgoingRecord;
import io.layerskip.connectors.ParseRequests;
import io.layerskip.connectors.SourceRecord;
import io.layerskip.engine.GenerationRequest;
import io.layerskip.flink.LayerSkipAsyncFunction;
import io.layerskip.flink.LayerSkipConfiguration;
import io.layerskip.flink.LayerSkipOptions;
import io.layerskip.jobs.OptionArguments.Shortcut;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.client.program.ProgramParametrizationException;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.CoreOptions;
import org.apache.flink.configuration.ExecutionOptions;
import org.apache.flink.configuration.ExternalizedCheckpointRetention;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.streaming.api.datastream.AsyncDataStream.OutputMode;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.ParameterException;

/**
 * Records from Kafka, what became of them and dead letters to Kafka, exactly once; see {@link
 * JobType} for what they may be.
 *
 * <p>Source, model and formatting run chained in one task: a request never waits in a network
 * buffer, where a checkpoint would have to wait for it in turn, and requests of one partition stay
 * together. So a topic wants at least as many partitions as the job has slots.
 *
 * <p>In order, a partition's results leave in the order of its records, in whatever parallelism:
 *
 * <ul>
 *   <li>At any time one subtask reads the partition and has all of it that is in flight, since
 *       source and model follow the same routing when they take a checkpoint up again.
 *   <li>What was in flight is in the model's queue before the source reads on, and a queue's
 *       results leave in its order, through the formatting to the one sink after it. What is on the
 *       way to the sink is in no checkpoint, since an edge from one subtask to one other has no
 *       unaligned ones.
 *   <li>A sink has handed all it was given to the brokers before a checkpoint is complete, so what
 *       the next parallelism writes comes after it in the topic's partition. Readers of committed
 *       records read in that order, whichever transaction's commit came first.
 * </ul>
 *
 * <p>The uids of the operators stand in savepoints; they stay.
 */
public final class GenerationJob {

    /** Names of their own on the command line for what nearly everyone sets. */
    public static final List<Shortcut> SHORTCUTS =
            List.of(
                    new Shortcut("--bootstrap-servers", KafkaOptions.BOOTSTRAP_SERVERS),
                    new Shortcut("--input-topic", KafkaOptions.SOURCE_TOPICS),
                    new Shortcut("--output-topic", KafkaOptions.SINK_TOPIC),
                    new Shortcut("--dead-letter-topic", KafkaOptions.DEAD_LETTERS_TOPIC),
                    new Shortcut("--model", LayerSkipOptions.MODEL_PATH),
                    new Shortcut("--parallelism", CoreOptions.DEFAULT_PARALLELISM));

    private static final String NAME = "flink-layerskip";
    private static final Duration CHECKPOINT_INTERVAL = Duration.ofSeconds(10);

    private GenerationJob() {}

    /** What {@code flink run} hands over after the jar. */
    @Command(
            name = "flink run flink-layerskip-job.jar",
            description =
                    "Completes the prompts of a Kafka topic, or enriches its records, with a"
                            + " LayerSkip model.",
            mixinStandardHelpOptions = true,
            sortOptions = false)
    private static final class Arguments {
        @Mixin private JobType.Argument type;
        @Mixin private OptionArguments options = new OptionArguments(SHORTCUTS);
    }

    /**
     * Submits the job; for {@code flink run} and whoever else starts a jar in Flink.
     *
     * @throws ProgramParametrizationException if a setting is wrong; {@code flink run} shows its
     *     message, which names the setting, and ends with exit code 1
     */
    public static void main(String[] args) throws Exception {
        StreamExecutionEnvironment env;
        Arguments arguments = new Arguments();
        try {
            CommandLine commandLine =
                    new CommandLine(arguments).setCaseInsensitiveEnumValuesAllowed(true);
            if (CommandLine.printHelpIfRequested(commandLine.parseArgs(args))) {
                return;
            }
            KafkaSecrets.checkArguments(arguments.options.namesInArguments());
            Configuration configuration = arguments.options.toConfiguration();
            env = StreamExecutionEnvironment.getExecutionEnvironment(flinkSettings(configuration));
            build(env, configuration, arguments.type.get());
        } catch (ParameterException | IllegalConfigurationException e) {
            // To exit would end the JobManager where that runs this method.
            throw new ProgramParametrizationException(e.getMessage());
        }
        env.execute();
    }

    /**
     * Checks the options and adds the job to the environment. Sets what neither the options nor the
     * cluster say: a checkpoint every 10 s, of which the last one stays when the job fails for
     * good, and restarts with a growing delay.
     *
     * @param configuration the program's own options; they overrule those of the environment, which
     *     come from {@code flink run -D} and the cluster's configuration
     * @return the job's ends
     * @throws IllegalConfigurationException if an option is not allowed, the model has no such exit
     *     layer, or Kafka cannot be used this way
     */
    public static KafkaPipeline build(
            StreamExecutionEnvironment env, Configuration configuration, JobType type) {
        KafkaSecrets.checkSettings(env.getConfiguration());
        Configuration options = Configuration.fromMap(env.getConfiguration().toMap());
        options.addAll(configuration);
        LayerSkipConfiguration layerskip = LayerSkipConfiguration.from(options, type.options());
        layerskip.checkAgainstModel(GenerationJob.class.getClassLoader());
        KafkaConfiguration configured = KafkaConfiguration.from(options);
        setDefaults(env);
        if (!configured.isExactlyOnce()) {
            // What is written at once must not wait in a network buffer before it.
            setDefault(env, ExecutionOptions.BUFFER_TIMEOUT, Duration.ZERO);
        }
        KafkaPipeline kafka = KafkaPipeline.connect(configured, env.getCheckpointConfig());
        JobType.Formats formats = type.formats(kafka, layerskip, options);

        Source<SourceRecord, ?, ?> source =
                layerskip.outputOrder() == OutputMode.ORDERED
                        ? kafka.routedSource()
                        : kafka.source();
        SingleOutputStreamOperator<GenerationRequest> requests =
                env.fromSource(source, WatermarkStrategy.noWatermarks(), "prompts")
                        .uid("prompts")
                        .process(formats.requests())
                        .name("parse requests")
                        .uid("parse-requests");
        SingleOutputStreamOperator<OutgoingRecord> completions =
                LayerSkipAsyncFunction.generate(
                                requests,
                                layerskip,
                                kafka.routing(),
                                formats.requests().checkpointedForm())
                        .name("generate")
                        .uid("generate")
                        .map(formats.results())
                        .name("format results")
                        .uid("format-results");
        completions
                .union(requests.getSideOutput(ParseRequests.DEAD_LETTERS))
                .sinkTo(kafka.sink())
                .name("completions and dead letters")
                .uid("completions-and-dead-letters");
        return kafka;
    }

    /** The settings without Kafka's: those may hold secrets, and Flink's web UI shows its own. */
    public static Configuration flinkSettings(Configuration configuration) {
        Map<String, String> settings = new HashMap<>(configuration.toMap());
        settings.keySet().removeIf(key -> key.startsWith(KafkaOptions.PREFIX));
        return Configuration.fromMap(settings);
    }

    private static void setDefaults(StreamExecutionEnvironment env) {
        setDefault(env, PipelineOptions.NAME, NAME);
        setDefault(env, CheckpointingOptions.CHECKPOINTING_INTERVAL, CHECKPOINT_INTERVAL);
        // Requests in flight are nowhere else, and the group's offsets lie after them.
        setDefault(
                env,
                CheckpointingOptions.EXTERNALIZED_CHECKPOINT_RETENTION,
                ExternalizedCheckpointRetention.DELETE_ON_CANCELLATION);
        setDefault(
                env,
                RestartStrategyOptions.RESTART_STRATEGY,
                RestartStrategyOptions.RestartStrategyType.EXPONENTIAL_DELAY.getMainValue());
        // Every type here has a serializer of its own; one that falls back to Kryo is a mistake.
        setDefault(env, PipelineOptions.GENERIC_TYPES, false);
    }

    private static <T> void setDefault(
            StreamExecutionEnvironment env, ConfigOption<T> option, T value) {
        if (env.getConfiguration().getOptional(option).isEmpty()) {
            env.configure(new Configuration().set(option, value));
        }
    }
}
