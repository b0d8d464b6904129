package io.layerskip.cli;

import io.layerskip.bench.ExperimentSetup;
import io.layerskip.bench.Experiments;
import io.layerskip.bench.Report;
import io.layerskip.connectors.CompletionRequestFormat;
import io.layerskip.connectors.InvalidRequestException;
import io.layerskip.engine.GenerationParameters;
import io.layerskip.engine.GenerationRequest;
import io.layerskip.flink.ConfiguredCheckpoint;
import io.layerskip.flink.LayerSkipConfiguration;
import io.layerskip.flink.LayerSkipOptions;
import io.layerskip.jobs.OptionArguments;
import io.layerskip.jobs.OptionArguments.Shortcut;
import io.layerskip.local.LocalFileSystems;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.apache.flink.configuration.Configuration;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Measures the engine with a model on this machine. */
@Command(
        name = "bench",
        description =
                "Measures the engine on this machine: prints tables, and writes them with charts as"
                        + " one HTML page.",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        sortOptions = false)
final class BenchCommand implements Callable<Integer> {

    @Mixin
    private OptionArguments options =
            new OptionArguments(
                    List.of(
                            new Shortcut("--model", LayerSkipOptions.MODEL_PATH),
                            new Shortcut(
                                    "--assistant-early-exit",
                                    LayerSkipOptions.ASSISTANT_EARLY_EXIT),
                            new Shortcut("--precision", LayerSkipOptions.PRECISION),
                            new Shortcut("--threads", LayerSkipOptions.THREADS)));

    @Option(
            names = "--only",
            split = ",",
            paramLabel = "NAME",
            completionCandidates = ExperimentNames.class,
            description =
                    "Experiments, separated by commas: ${COMPLETION-CANDIDATES}. Default: all.")
    private List<String> only = Experiments.names();

    @Option(
            names = "--num-assistant-tokens",
            split = ",",
            paramLabel = "K",
            defaultValue = "3,5",
            description =
                    "Fixed draft lengths to compare with, separated by commas. Default:"
                            + " ${DEFAULT-VALUE}.")
    private List<Integer> draftLengths;

    @Option(
            names = "--later",
            split = ",",
            paramLabel = "X",
            defaultValue = "0.005,0.02,0.06,0.12,0.25",
            description =
                    "Checkpoints with random weights: how much each layer after the exit adds, times"
                            + " what the earlier ones add, separated by commas. The less, the more"
                            + " drafts are accepted. Default: ${DEFAULT-VALUE}.")
    private List<Double> later;

    @Option(
            names = "--peak",
            paramLabel = "X",
            defaultValue = "10",
            description =
                    "Checkpoints with random weights: how much the most probable token stands out."
                            + " Default: ${DEFAULT-VALUE}.")
    private double peak;

    @Option(
            names = "--input",
            paramLabel = "FILE",
            description =
                    "Prompts: a JSON object with a prompt a line. Without it: the golden prompts of"
                            + " the bundled model.")
    private Optional<Path> input;

    @Option(
            names = "--prompts",
            paramLabel = "N",
            defaultValue = "120",
            description = "So many of the prompts at the most. Default: ${DEFAULT-VALUE}.")
    private int maxPrompts;

    @Option(
            names = "--rounds",
            paramLabel = "N",
            defaultValue = "5",
            description = "Rounds that are timed. Default: ${DEFAULT-VALUE}.")
    private int rounds;

    @Option(
            names = "--html",
            paramLabel = "FILE",
            defaultValue = "flink-layerskip-bench.html",
            description = "Where the page is written. Default: ${DEFAULT-VALUE}.")
    private Path html;

    @Option(
            names = "--json",
            paramLabel = "FILE",
            description = "Writes the same figures for a program.")
    private Optional<Path> json;

    @Spec private CommandSpec spec;

    /** For the help. */
    private static final class ExperimentNames implements Iterable<String> {
        @Override
        public Iterator<String> iterator() {
            return Experiments.names().iterator();
        }
    }

    @Override
    public Integer call() throws Exception {
        checkArguments();
        Configuration configuration = options.toConfiguration();
        LocalFileSystems.initialize(configuration);
        List<String> prompts = prompts();
        try (ConfiguredCheckpoint opened =
                ConfiguredCheckpoint.open(
                        LayerSkipConfiguration.from(configuration), getClass().getClassLoader())) {
            ExperimentSetup setup =
                    new ExperimentSetup(
                            configuration,
                            opened.checkpoint(),
                            prompts,
                            rounds,
                            draftLengths,
                            later,
                            peak);
            Report.run(setup, only, new Publisher());
            spec.commandLine().getErr().println("The page with charts: " + html.toAbsolutePath());
        }
        return ExitCode.OK;
    }

    /** Writes everything again after each experiment: what is known stays if a later one fails. */
    private final class Publisher implements Report.Listener {

        @Override
        public void starts(Map<String, String> environment) {
            environment.forEach(
                    (name, value) -> spec.commandLine().getOut().printf("- %s: %s%n", name, value));
            spec.commandLine().getOut().println();
        }

        @Override
        public void begins(String title) {
            spec.commandLine().getErr().println(title + " ...");
        }

        @Override
        public void ended(Report report) throws IOException {
            spec.commandLine().getOut().println(report.latest());
            report.writeHtml(html);
            if (json.isPresent()) {
                report.writeJson(json.get());
            }
        }
    }

    private void checkArguments() {
        check(
                Experiments.names().containsAll(only),
                "--only is %s; allowed: %s"
                        .formatted(String.join(",", only), String.join(",", Experiments.names())));
        check(
                draftLengths.stream()
                        .allMatch(k -> k >= 1 && k <= GenerationParameters.MAX_ASSISTANT_TOKENS),
                "--num-assistant-tokens is %s; allowed: each from 1 to %d"
                        .formatted(draftLengths, GenerationParameters.MAX_ASSISTANT_TOKENS));
        check(
                later.stream().allMatch(x -> x >= 0 && x <= 1),
                "--later is %s; allowed: each from 0 to 1".formatted(later));
        check(
                peak > 0 && peak < Double.POSITIVE_INFINITY,
                "--peak is %s; allowed: above 0".formatted(peak));
        check(maxPrompts >= 1, "--prompts is %d; allowed: at least 1".formatted(maxPrompts));
        check(rounds >= 1, "--rounds is %d; allowed: at least 1".formatted(rounds));
    }

    private void check(boolean allowed, String message) {
        if (!allowed) {
            throw new ParameterException(spec.commandLine(), message);
        }
    }

    private List<String> prompts() throws IOException {
        if (input.isEmpty()) {
            return GoldenPrompt.all().stream().map(GoldenPrompt::prompt).limit(maxPrompts).toList();
        }
        CompletionRequestFormat format = new CompletionRequestFormat();
        List<String> prompts = new ArrayList<>();
        try (InputStream in = new BufferedInputStream(Files.newInputStream(input.get()))) {
            LineReader lines = LineReader.ofRequests(in);
            Optional<byte[]> line = lines.next();
            while (line.isPresent() && prompts.size() < maxPrompts) {
                GenerationRequest request = format.parse(line.get(), "prompt");
                check(
                        request.chat().isEmpty(),
                        "--input is %s, line %d: messages; allowed: prompts"
                                .formatted(input.get(), prompts.size() + 1));
                prompts.add(request.prompt());
                line = lines.next();
            }
        } catch (InvalidRequestException e) {
            throw new IOException(
                    "%s, line %d: %s".formatted(input.get(), prompts.size() + 1, e.getMessage()),
                    e);
        }
        check(!prompts.isEmpty(), "--input is %s, which is empty".formatted(input.get()));
        return prompts;
    }
}
