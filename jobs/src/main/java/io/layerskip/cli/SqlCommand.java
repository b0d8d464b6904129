package io.layerskip.cli;

import io.layerskip.jobs.OptionArguments;
import io.layerskip.local.LocalFileSystems;
import io.layerskip.local.LocalFlink;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.apache.flink.configuration.Configuration;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Runs a script of Flink SQL in this process. */
@Command(
        name = "sql",
        description = {
            "Runs a script of Flink SQL with Flink in this process, statement after statement: an"
                    + " INSERT is waited for, and what a SELECT finds is printed.",
            "The model provider layerskip, Kafka, files (filesystem) and JSON are there."
        },
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        sortOptions = false)
final class SqlCommand implements Callable<Integer> {

    @Option(
            names = {"-f", "--file"},
            required = true,
            paramLabel = "FILE",
            description = "The script, in UTF-8: statements, each with a semicolon at its end.")
    private Path file;

    @Mixin private OptionArguments options = new OptionArguments(List.of());

    @Spec private CommandSpec spec;

    @Override
    public Integer call() throws Exception {
        Configuration settings = LocalFlink.settings(options.toConfiguration());
        LocalFileSystems.initialize(settings);
        String script;
        try {
            script = Files.readString(file);
        } catch (IOException e) {
            throw new IOException("cannot read the script " + file + ": " + e, e);
        }
        return SqlScript.run(script, settings, spec.commandLine().getOut())
                .map(this::explain)
                .orElse(ExitCode.OK);
    }

    private int explain(String failure) {
        spec.commandLine().getErr().println(file + ": " + failure);
        return ExitCode.SOFTWARE;
    }
}
