package io.layerskip.cli;

import io.layerskip.connectors.KafkaOptions;
import io.layerskip.connectors.KafkaPipeline;
import io.layerskip.connectors.RunTotals;
import io.layerskip.flink.AllowedValues;
import io.layerskip.flink.OptionReader;
import io.layerskip.jobs.GenerationJob;
import io.layerskip.jobs.JobType;
import io.layerskip.jobs.OptionArguments;
import io.layerskip.local.LocalFileSystems;
import io.layerskip.local.LocalFlink;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.IllegalConfigurationException;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Runs the job in this process against a broker that the user names. */
@Command(
        name = "run",
        description = {
            "Completes the prompts of a Kafka topic, or enriches its records, with a Flink cluster"
                    + " in this process.",
            "Required: --bootstrap-servers, --input-topic, --output-topic, --dead-letter-topic, or"
                    + " the options that they stand for.",
            "Ctrl-C ends it as a crash would. With -D execution.checkpointing.dir=file:///DIR,"
                    + " start it again with -D execution.state-recovery.path= and its latest"
                    + " checkpoint to go on exactly once.",
            "With -D kafka.source.ending-offsets=LATEST it ends when what is there has been read,"
                    + " with a summary."
        },
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        sortOptions = false)
final class RunCommand implements Callable<Integer> {

    /** Exit code of a job that ended well, with dead letters. */
    private static final int DEAD_LETTERS = 3;

    @Mixin private JobType.Argument type;

    @Mixin private OptionArguments options = new OptionArguments(GenerationJob.SHORTCUTS);

    @Option(
            names = "--fail-on-dead-letters",
            description =
                    "Ends with exit code 3 if any record became a dead letter; for jobs that end"
                            + " (kafka.source.ending-offsets).")
    private boolean failOnDeadLetters;

    @Spec private CommandSpec spec;

    @Override
    public Integer call() throws Exception {
        Configuration configuration = options.toConfiguration();
        LocalFileSystems.initialize(configuration);
        LocalFlink flink = LocalFlink.create(configuration);
        KafkaPipeline kafka = GenerationJob.build(flink.environment(), configuration, type.get());
        if (kafka.recordsToRead().isEmpty() && failOnDeadLetters) {
            throw new IllegalConfigurationException(
                    OptionReader.refusal(
                            KafkaOptions.SOURCE_ENDING_OFFSETS,
                            "missing",
                            AllowedValues.of(KafkaOptions.SOURCE_ENDING_OFFSETS).words()
                                    + ", since --fail-on-dead-letters is given"));
        }
        PrintWriter err = spec.commandLine().getErr();
        err.println("Flink's web UI: " + flink.webUi());
        if (kafka.recordsToRead().isEmpty()) {
            flink.environment().execute();
            return ExitCode.OK;
        }
        BoundedRun run = new BoundedRun(flink.environment(), kafka.recordsToRead().getAsLong());
        RunTotals totals = run.toItsEnd(err);
        return failOnDeadLetters && totals.deadLetters() > 0 ? DEAD_LETTERS : ExitCode.OK;
    }
}
