package io.layerskip.forward;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** Another process with this one's classes. */
public final class OtherJvm {

    private OtherJvm() {}

    /** Runs a class's main method. */
    static Process start(Class<?> main, Path... arguments) throws IOException {
        return start(List.of(), main, arguments);
    }

    /** The same with options of the JVM. */
    public static Process start(List<String> options, Class<?> main, Path... arguments)
            throws IOException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(options);
        command.add("-cp");
        command.add(System.getProperty("java.class.path"));
        command.add(main.getName());
        Stream.of(arguments).map(Path::toString).forEach(command::add);
        return new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    }

    /** All that it prints. */
    public static List<String> lines(Process process) throws IOException {
        try (BufferedReader out = process.inputReader()) {
            return out.lines().toList();
        }
    }
}
