package io.layerskip.jobs.cli;

import io.layerskip.connectors.CompletionRequestFormat;
import io.layerskip.connectors.InvalidRequestException;
import io.layerskip.engine.EngineSettings;
import io.layerskip.engine.GenerationEngine;
import io.layerskip.engine.GenerationParameters;
import io.layerskip.flink.LayerSkipConfiguration;
import io.layerskip.flink.LayerSkipOptions;
import io.layerskip.jobs.Settings;
import io.layerskip.jobs.Settings.Shortcut;
import io.layerskip.jobs.cli.SpeedComparison.Measurement;
import io.layerskip.model.Checkpoint;
import io.layerskip.model.ModelFolder;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Measures self-speculation against plain decoding, for a sweep of exit layers and drafts. */
@Command(
        name = "bench",
        description =
                "Measures how much faster self-speculation is than plain decoding, one request at a"
                        + " time, for every exit layer and draft length.",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        sortOptions = false)
final class BenchCommand implements Callable<Integer> {

    @Mixin
    private Settings settings =
            new Settings(
                    List.of(
                            new Shortcut("--model", LayerSkipOptions.MODEL_PATH),
                            new Shortcut(
                                    "--assistant-early-exit",
                                    LayerSkipOptions.ASSISTANT_EARLY_EXIT),
                            new Shortcut("--threads", LayerSkipOptions.THREADS)));

    @Option(
            names = "--num-assistant-tokens",
            split = ",",
            paramLabel = "K",
            defaultValue = "3,5,8",
            description = "Draft lengths, separated by commas. Default: ${DEFAULT-VALUE}.")
    private List<Integer> draftLengths;

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

    @Spec private CommandSpec spec;

    @Override
    public Integer call() throws Exception {
        checkOptions();
        LayerSkipConfiguration configuration =
                LayerSkipConfiguration.from(settings.toConfiguration());
        ClassLoader loader = getClass().getClassLoader();
        configuration.checkAgainstModel(loader);
        List<String> prompts = prompts();
        try (ModelFolder folder = configuration.model().open(loader);
                Checkpoint checkpoint = Checkpoint.open(folder.path())) {
            EngineSettings engine = configuration.toEngineSettings(1);
            PrintWriter out = spec.commandLine().getOut();
            out.printf(
                    Locale.ROOT,
                    "%s: %d prompts, %d thread(s), median of %d rounds%n%n",
                    configuration.model().modelName(),
                    prompts.size(),
                    engine.threads(),
                    rounds);
            out.println(
                    "| exit layer | drafts | accepted | µs per token after the first |"
                            + " speedup after the first token (least to most) |"
                            + " speedup of whole requests |");
            out.println("|---:|---:|---:|---:|---:|---:|");
            for (int exit : engine.exitLayers()) {
                measure(checkpoint, engine.withExitLayers(List.of(exit)), prompts, out);
            }
        }
        return ExitCode.OK;
    }

    private void checkOptions() {
        check(
                draftLengths.stream()
                        .allMatch(k -> k >= 0 && k <= GenerationParameters.MAX_ASSISTANT_TOKENS),
                "--num-assistant-tokens is %s; allowed: each from 0 to %d"
                        .formatted(draftLengths, GenerationParameters.MAX_ASSISTANT_TOKENS));
        check(maxPrompts >= 1, "--prompts is %d; allowed: at least 1".formatted(maxPrompts));
        check(rounds >= 1, "--rounds is %d; allowed: at least 1".formatted(rounds));
    }

    private void check(boolean allowed, String message) {
        if (!allowed) {
            throw new ParameterException(spec.commandLine(), message);
        }
    }

    /** One engine an exit: a cut that is not used would cost the others a call a pass. */
    private void measure(
            Checkpoint checkpoint, EngineSettings settings, List<String> prompts, PrintWriter out)
            throws ExecutionException, InterruptedException {
        try (GenerationEngine engine = GenerationEngine.open(checkpoint, settings)) {
            for (Measurement measured :
                    new SpeedComparison(engine, prompts).measure(draftLengths, rounds)) {
                out.printf(
                        Locale.ROOT,
                        "| %d | %d | %.1f %% | %.0f | %.2f (%.2f to %.2f) | %.2f |%n",
                        settings.exitLayers().get(0),
                        measured.draftLength(),
                        100 * measured.acceptanceRate(),
                        Measurement.median(measured.tokenMicros()),
                        Measurement.median(measured.tokenSpeedup()),
                        measured.tokenSpeedup().getMin(),
                        measured.tokenSpeedup().getMax(),
                        Measurement.median(measured.requestSpeedup()));
            }
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
                prompts.add(format.parse(line.get(), "prompt").prompt());
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
