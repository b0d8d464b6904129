package io.layerskip.cli;

import io.layerskip.engine.GenerationEngine;
import io.layerskip.engine.GenerationParameters;
import io.layerskip.engine.GenerationRequest;
import io.layerskip.engine.GenerationResult;
import io.layerskip.engine.GenerationStatistics;
import io.layerskip.engine.TextChunk;
import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.Help.Ansi.Style;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/** The part of {@code generate} that streams one completion to the terminal. */
final class PromptGeneration {

    @Option(
            names = "--prompt",
            paramLabel = "TEXT",
            required = true,
            description =
                    "The prompt. Its completion goes to the standard output as it is written, on a"
                            + " terminal with the tokens that the early layers drafted in green.")
    private String prompt;

    @Option(
            names = "--seed",
            paramLabel = "N",
            description =
                    "Seed of the sampler. Without it one is drawn, and shown with the statistics.")
    private Optional<Long> seed;

    @Option(
            names = "--stop",
            paramLabel = "TEXT",
            description = "Ends the completion before this text; repeatable.")
    private List<String> stop = List.of();

    @Option(names = "--ignore-eos", description = "Writes on after the end-of-sequence token.")
    private boolean ignoreEos;

    /**
     * Returns the exit code.
     *
     * @param temperature that the engine decodes with
     */
    int run(GenerationEngine engine, double temperature, CommandLine command)
            throws ExecutionException, InterruptedException {
        PrintWriter out = command.getOut();
        boolean coloured = Ansi.AUTO.enabled();
        // Greedy decoding draws nothing.
        OptionalLong drawnSeed =
                temperature > 0
                        ? OptionalLong.of(seed.orElseGet(ThreadLocalRandom.current()::nextLong))
                        : OptionalLong.empty();
        GenerationRequest request =
                new GenerationRequest("prompt", prompt, parameters(drawnSeed, command));
        GenerationResult result =
                engine.submit(request, chunk -> print(chunk, out, coloured)).result().get();
        out.println();
        if (result.failure().isPresent()) {
            command.getErr().println(result.failure().get().message());
            return ExitCode.SOFTWARE;
        }
        command.getErr().println(summarise(result.statistics(), drawnSeed));
        return ExitCode.OK;
    }

    private GenerationParameters parameters(OptionalLong seed, CommandLine command) {
        try {
            GenerationParameters.Builder parameters =
                    GenerationParameters.builder()
                            .stop(stop.toArray(String[]::new))
                            .ignoreEos(ignoreEos);
            seed.ifPresent(parameters::seed);
            return parameters.build();
        } catch (IllegalArgumentException e) {
            throw new ParameterException(command, e.getMessage(), e);
        }
    }

    private static void print(TextChunk chunk, PrintWriter out, boolean coloured) {
        boolean green = coloured && chunk.drafted();
        out.print(green ? Style.fg_green.on() + chunk.text() + Style.fg_green.off() : chunk.text());
        out.flush();
    }

    private static String summarise(GenerationStatistics statistics, OptionalLong seed) {
        double firstSeconds = seconds(statistics.timeToFirstTokenNanos());
        double restSeconds = seconds(statistics.totalNanos()) - firstSeconds;
        int restTokens = Math.max(0, statistics.completionTokens() - 1);
        String summary =
                String.format(
                        Locale.ROOT,
                        "%d prompt tokens, %d written; the first after %.1f ms, then %.0f tokens/s;"
                                + " %d of %d drafted tokens accepted (%.0f %%) in %d rounds",
                        statistics.promptTokens(),
                        statistics.completionTokens(),
                        firstSeconds * 1e3,
                        restSeconds > 0 ? restTokens / restSeconds : 0,
                        statistics.acceptedTokens(),
                        statistics.draftedTokens(),
                        statistics.acceptanceRate() * 100,
                        statistics.rounds());
        return seed.isPresent() ? summary + "; seed " + seed.getAsLong() : summary;
    }

    private static double seconds(long nanos) {
        return (double) nanos / TimeUnit.SECONDS.toNanos(1);
    }
}
