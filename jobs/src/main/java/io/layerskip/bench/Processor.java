package io.layerskip.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * This machine's processor.
 *
 * @param name as Linux tells it; elsewhere the architecture
 * @param vectorFlags what speed depends on of the instructions that it has, by Linux's names; empty
 *     where the system does not tell
 */
record Processor(String name, List<String> vectorFlags) {

    private static final Path CPU_INFO = Path.of("/proc/cpuinfo");
    private static final List<String> X86_NAMES = List.of("model name");
    private static final List<String> ARM_NAMES = List.of("Model", "Hardware", "CPU part");
    private static final List<String> FLAGS = List.of("flags", "Features");
    private static final List<String> VECTOR_FLAGS =
            List.of(
                    "avx2",
                    "fma",
                    "avx512f",
                    "avx512bw",
                    "avx512_vnni",
                    "avx512_bf16",
                    "avx512_fp16",
                    "avx_vnni",
                    "avx_vnni_int8",
                    "amx_tile",
                    "amx_int8",
                    "amx_bf16",
                    "neon",
                    "asimd",
                    "asimddp",
                    "asimdhp",
                    "i8mm",
                    "bf16",
                    "sve",
                    "sve2");

    static Processor ofThisMachine() {
        String architecture = System.getProperty("os.arch");
        if (!Files.isReadable(CPU_INFO)) {
            return new Processor(architecture, List.of());
        }
        try {
            return parse(Files.readAllLines(CPU_INFO), architecture);
        } catch (IOException e) {
            return new Processor(architecture, List.of());
        }
    }

    /**
     * Reads what Linux tells in /proc/cpuinfo, whose lines are {@code key : value}; of several
     * processors, the first.
     *
     * @param architecture for a name, where there is none
     */
    static Processor parse(List<String> lines, String architecture) {
        List<String> known = List.of(value(lines, FLAGS).split(" "));
        String name = value(lines, X86_NAMES);
        if (name.isEmpty()) {
            name = (architecture + " " + value(lines, ARM_NAMES)).strip();
        }
        return new Processor(name, VECTOR_FLAGS.stream().filter(known::contains).toList());
    }

    private static String value(List<String> lines, List<String> keys) {
        for (String key : keys) {
            for (String line : lines) {
                String[] parts = line.split(":", 2);
                if (parts.length == 2 && parts[0].strip().equals(key)) {
                    return parts[1].strip();
                }
            }
        }
        return "";
    }
}
