package io.layerskip.jobs.bench;

import io.layerskip.engine.EngineSettings;
import io.layerskip.engine.GenerationEngine;
import io.layerskip.engine.GenerationParameters;
import io.layerskip.forward.Precision;
import io.layerskip.model.Checkpoint;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * What an engine adds to the memory of a process, in a process of its own: there, nobody else
 * allocates.
 */
final class ResidentMemory {

    private static final Path STATUS = Path.of("/proc/self/status");
    private static final String RESIDENT = "VmRSS:";
    private static final String HEAP = "-Xmx1g";
    private static final int NEW_TOKENS = 16;
    private static final long SETTLING_MS = 300;

    private static final String USAGE =
            "usage: checkpoint, precision, draft length or auto, threads, exit layer, prompt";

    private ResidentMemory() {}

    /**
     * What an engine takes that has completed a prompt, in MiB, for a table; "not known" where the
     * system does not tell.
     *
     * @param settings its first exit layer, draft length, precision and threads are used
     */
    static Object ofEngine(Path checkpoint, EngineSettings settings, String prompt)
            throws IOException, InterruptedException {
        if (residentKib().isEmpty()) {
            return "not known";
        }
        OptionalInt drafts = settings.defaults().numAssistantTokens();
        Process process =
                new ProcessBuilder(
                                List.of(
                                        Path.of(System.getProperty("java.home"), "bin", "java")
                                                .toString(),
                                        HEAP,
                                        "-cp",
                                        System.getProperty("java.class.path"),
                                        ResidentMemory.class.getName(),
                                        checkpoint.toString(),
                                        settings.precision().name(),
                                        drafts.isPresent()
                                                ? Integer.toString(drafts.getAsInt())
                                                : "auto",
                                        Integer.toString(settings.threads()),
                                        Integer.toString(settings.exitLayers().get(0)),
                                        prompt))
                        .redirectError(ProcessBuilder.Redirect.DISCARD)
                        .start();
        process.getOutputStream().close();
        String answer =
                new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        if (process.waitFor() != 0) {
            throw new IOException("the process that measures memory ended with an error");
        }
        return Integer.parseInt(answer);
    }

    /** Prints how many MiB more are resident once an engine has completed a prompt. */
    public static void main(String[] args) throws Exception {
        if (args.length != 6) {
            throw new IllegalArgumentException(USAGE);
        }
        // Random weights would write until the context is full.
        GenerationParameters.Builder defaults =
                GenerationParameters.builder().maxTokens(NEW_TOKENS);
        if (!args[2].equals("auto")) {
            defaults.numAssistantTokens(Integer.parseInt(args[2]));
        }
        EngineSettings settings =
                EngineSettings.builder(Integer.parseInt(args[4]))
                        .defaults(defaults.build())
                        .precision(Precision.valueOf(args[1]))
                        .threads(Integer.parseInt(args[3]))
                        .build();
        try (Checkpoint checkpoint = Checkpoint.open(Path.of(args[0]))) {
            long before = residentKib().orElseThrow();
            try (GenerationEngine engine = GenerationEngine.open(checkpoint, settings)) {
                EngineContender.asSet("memory", engine).complete(args[5]).get();
                System.out.println((settledKib() - before) / 1024);
            }
        }
    }

    /**
     * What is left when nothing more is given back: a file that was mapped, such as the checkpoint
     * that quantized weights are made of, goes a while after the garbage collector saw it unused.
     */
    private static long settledKib() throws IOException, InterruptedException {
        long before;
        long now = Long.MAX_VALUE;
        do {
            before = now;
            System.gc();
            Thread.sleep(SETTLING_MS);
            now = residentKib().orElseThrow();
        } while (now < before - 1024);
        return now;
    }

    /** What this process has in memory, in KiB; empty where the system does not tell. */
    static OptionalLong residentKib() throws IOException {
        if (!Files.isReadable(STATUS)) {
            return OptionalLong.empty();
        }
        for (String line : Files.readAllLines(STATUS)) {
            if (line.startsWith(RESIDENT)) {
                String kib = line.substring(RESIDENT.length()).replace("kB", "").strip();
                return OptionalLong.of(Long.parseLong(kib));
            }
        }
        throw new IOException("no " + RESIDENT + " in " + STATUS);
    }
}
