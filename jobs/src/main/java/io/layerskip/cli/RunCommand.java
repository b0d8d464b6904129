package io.layerskip.cli;

import io.layerskip.jobs.GenerationJob;
import io.layerskip.jobs.OptionArguments;
import io.layerskip.local.LocalFlink;
import java.util.concurrent.Callable;
import org.apache.flink.configuration.Configuration;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** Runs the job in this process against a broker that the user names. */
@Command(
        name = "run",
        description = {
            "Completes the prompts of a Kafka topic, with a Flink cluster in this process.",
            "Required: --bootstrap-servers, --input-topic, --output-topic, --dead-letter-topic, or"
                    + " the options that they stand for.",
            "Ctrl-C ends it as a crash would. With -D execution.checkpointing.dir=file:///DIR,"
                    + " start it again with -D execution.state-recovery.path= and its latest"
                    + " checkpoint to go on exactly once."
        },
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        sortOptions = false)
final class RunCommand implements Callable<Integer> {

    @Mixin private OptionArguments options = new OptionArguments(GenerationJob.SHORTCUTS);

    @Spec private CommandSpec spec;

    @Override
    public Integer call() throws Exception {
        Configuration configuration = options.toConfiguration();
        LocalFlink flink = LocalFlink.create(configuration);
        GenerationJob.build(flink.environment(), configuration);
        spec.commandLine().getErr().println("Flink's web UI: " + flink.webUi());
        flink.environment().execute();
        return ExitCode.OK;
    }
}
