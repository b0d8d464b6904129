package io.layerskip.cli;

import io.layerskip.flink.ConfiguredEngine;
import io.layerskip.flink.LayerSkipConfiguration;
import io.layerskip.flink.LayerSkipOptions;
import io.layerskip.jobs.OptionArguments;
import io.layerskip.jobs.OptionArguments.Shortcut;
import io.layerskip.local.LocalFileSystems;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.Callable;
import org.apache.flink.configuration.Configuration;
import picocli.CommandLine;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** Completes a prompt, or a file of them, here and now, without Kafka or Flink. */
@Command(
        name = "generate",
        description = "Completes a prompt, or a file of requests, without Kafka or Flink.",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        sortOptions = false)
final class GenerateCommand implements Callable<Integer> {

    @ArgGroup(multiplicity = "1")
    private Work work;

    @Mixin
    private OptionArguments options =
            new OptionArguments(
                    List.of(
                            new Shortcut("--model", LayerSkipOptions.MODEL_PATH),
                            new Shortcut(
                                    "--assistant-early-exit",
                                    LayerSkipOptions.ASSISTANT_EARLY_EXIT),
                            new Shortcut(
                                    "--num-assistant-tokens",
                                    LayerSkipOptions.NUM_ASSISTANT_TOKENS),
                            new Shortcut("--max-new-tokens", LayerSkipOptions.MAX_TOKENS),
                            new Shortcut("--temperature", LayerSkipOptions.TEMPERATURE),
                            new Shortcut("--top-k", LayerSkipOptions.TOP_K),
                            new Shortcut("--top-p", LayerSkipOptions.TOP_P),
                            new Shortcut("--precision", LayerSkipOptions.PRECISION),
                            new Shortcut("--threads", LayerSkipOptions.THREADS)));

    @Spec private CommandSpec spec;

    /** What to complete: either one prompt or a file. */
    private static final class Work {
        @ArgGroup(exclusive = false, heading = "One prompt:%n")
        private PromptGeneration prompt;

        @ArgGroup(exclusive = false, heading = "A file of requests:%n")
        private FileGeneration file;
    }

    @Override
    public Integer call() throws Exception {
        Configuration settings = options.toConfiguration();
        LayerSkipConfiguration configuration = LayerSkipConfiguration.from(settings);
        LocalFileSystems.initialize(settings);
        String model = configuration.model().modelName();
        CommandLine command = spec.commandLine();
        try (ConfiguredEngine opened = open(configuration)) {
            return work.prompt != null
                    ? work.prompt.run(
                            opened.engine(),
                            opened.settings().defaults().temperature().orElseThrow(),
                            command)
                    : work.file.run(opened.engine(), model, command);
        }
    }

    private ConfiguredEngine open(LayerSkipConfiguration configuration) throws IOException {
        try (LoadingBar loading = new LoadingBar()) {
            return ConfiguredEngine.open(configuration, getClass().getClassLoader(), 1, loading);
        }
    }
}
