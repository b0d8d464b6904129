package io.layerskip.bench;

import io.layerskip.engine.GenerationEngine;
import io.layerskip.flink.ConfiguredCheckpoint;
import io.layerskip.flink.LayerSkipConfiguration;
import io.layerskip.flink.LayerSkipOptions;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalLong;
import org.apache.flink.configuration.Configuration;

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

    private ResidentMemory() {}

    /**
     * What an engine takes that has completed a prompt, in MiB, for a table; "not known" where the
     * system does not tell.
     *
     * @param options the engine's
     */
    static Object ofEngine(Configuration options, String prompt)
            throws IOException, InterruptedException {
        if (residentKib().isEmpty()) {
            return "not known";
        }
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(List.of(HEAP, "-cp", System.getProperty("java.class.path")));
        command.addAll(List.of(ResidentMemory.class.getName(), prompt));
        options.toMap()
                .forEach(
                        (key, value) -> {
                            // Others may hold secrets, which no command line should show.
                            if (key.startsWith(LayerSkipOptions.PREFIX)) {
                                command.add(key + "=" + value);
                            }
                        });
        Process process =
                new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
        process.getOutputStream().close();
        String answer =
                new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        if (process.waitFor() != 0) {
            throw new IOException("the process that measures memory ended with an error");
        }
        return Integer.parseInt(answer);
    }

    /**
     * Prints how many MiB more are resident once an engine has completed a prompt.
     *
     * @param args the prompt and the engine's options, each {@code KEY=VALUE}
     */
    public static void main(String[] args) throws Exception {
        Configuration options = new Configuration();
        for (String option : Arrays.asList(args).subList(1, args.length)) {
            int separator = option.indexOf('=');
            options.setString(option.substring(0, separator), option.substring(separator + 1));
        }
        // Random weights would write until the context is full.
        options.set(LayerSkipOptions.MAX_TOKENS, NEW_TOKENS);
        LayerSkipConfiguration configuration = LayerSkipConfiguration.from(options);
        try (ConfiguredCheckpoint opened =
                ConfiguredCheckpoint.open(configuration, ResidentMemory.class.getClassLoader())) {
            long before = residentKib().orElseThrow();
            try (GenerationEngine engine =
                    GenerationEngine.open(opened.checkpoint(), configuration.toEngineSettings(1))) {
                EngineContender.asSet("memory", engine).complete(args[0]).get();
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
