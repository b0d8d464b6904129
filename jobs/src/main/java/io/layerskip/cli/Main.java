package io.layerskip.cli;

import io.layerskip.model.CheckpointException;
import java.io.IOException;
import java.io.OutputStreamWriter;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import org.apache.flink.configuration.IllegalConfigurationException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.ParseResult;

/** The command line of {@code flink-layerskip.jar}. */
@Command(
        name = "flink-layerskip",
        description = "LayerSkip language models in Apache Flink.",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        subcommands = {
            DemoCommand.class,
            GenerateCommand.class,
            RunCommand.class,
            ReplayCommand.class,
            SqlCommand.class,
            BenchCommand.class
        })
public final class Main {

    private Main() {}

    /** Runs a command; exits with 2 for a wrong setting, 1 for a failure, else 0. */
    public static void main(String[] args) {
        System.exit(commandLine(System.out, System.err).execute(args));
    }

    /** The command line with all its subcommands; text is UTF-8 whatever the locale. */
    static CommandLine commandLine(PrintStream out, PrintStream err) {
        return new CommandLine(new Main())
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setOut(utf8(out))
                .setErr(utf8(err))
                .setExecutionExceptionHandler(Main::explain);
    }

    private static PrintWriter utf8(PrintStream stream) {
        return new PrintWriter(new OutputStreamWriter(stream, StandardCharsets.UTF_8), true);
    }

    /** What a user can mend is told in one line; anything else is a bug and keeps its trace. */
    private static int explain(Exception e, CommandLine command, ParseResult parsed)
            throws Exception {
        if (e instanceof IllegalConfigurationException) {
            command.getErr().println(e.getMessage());
            return ExitCode.USAGE;
        }
        if (e instanceof CheckpointException) {
            command.getErr().println(e.getMessage());
            return ExitCode.SOFTWARE;
        }
        if (e instanceof InterruptedException) {
            // Whoever pressed Ctrl-C knows why.
            return ExitCode.SOFTWARE;
        }
        if (e instanceof IOException) {
            command.getErr().println(e);
            return ExitCode.SOFTWARE;
        }
        throw e;
    }
}
