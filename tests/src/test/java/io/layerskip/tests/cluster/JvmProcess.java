package io.layerskip.tests.cluster;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** A JVM of its own, whose output goes to a file, and which is stopped by its own handle. */
final class JvmProcess implements AutoCloseable {

    /** For programs that do little: compiling their code well would take longer than it saves. */
    static final String QUICK = "-XX:TieredStopAtLevel=1";

    private static final long EXIT_SECONDS = 60;

    private final Process process;
    private final Path log;

    private JvmProcess(Process process, Path log) {
        this.process = process;
        this.log = log;
    }

    /** What to run. */
    record Program(String classPath, List<String> options, String main, List<String> arguments) {}

    /**
     * Starts a JVM like this one.
     *
     * @param log is appended to
     */
    static JvmProcess start(Program program, Map<String, String> environment, Path log)
            throws IOException {
        List<String> command = new ArrayList<>();
        command.add(Jvm.program("java"));
        // What a crash leaves belongs beside the log.
        command.add("-XX:ErrorFile=" + log.resolveSibling("hs_err_pid%p.log"));
        command.add("-XX:ReplayDataFile=" + log.resolveSibling("replay_pid%p.log"));
        command.addAll(program.options());
        command.addAll(List.of("-cp", program.classPath(), program.main()));
        command.addAll(program.arguments());
        Files.createDirectories(log.getParent());
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.environment().putAll(environment);
        return new JvmProcess(
                builder.redirectErrorStream(true)
                        .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
                        .start(),
                log);
    }

    boolean isAlive() {
        return process.isAlive();
    }

    long pid() {
        return process.pid();
    }

    /** Waits for its end and returns the exit code. */
    int exitCode() throws IOException, InterruptedException {
        if (!process.waitFor(EXIT_SECONDS, TimeUnit.SECONDS)) {
            close();
            throw new IOException("did not end within " + EXIT_SECONDS + " s: " + output());
        }
        return process.exitValue();
    }

    /** Sends a signal that Java has no word for, such as STOP. */
    void signal(String name) throws IOException, InterruptedException {
        run("kill", "-" + name, Long.toString(pid()));
    }

    /** Asks the JVM itself, with jcmd; returns the answer. */
    String ask(String command) throws IOException, InterruptedException {
        String jcmd = Jvm.program("jcmd");
        return run(jcmd, Long.toString(pid()), command);
    }

    /** Runs a command to its end; returns what it wrote. */
    static String run(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes());
        if (process.waitFor() != 0) {
            throw new IOException(String.join(" ", command) + ": " + output);
        }
        return output;
    }

    /** All that was written to the log so far. */
    String output() {
        try {
            return Files.readString(log);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Kills it (SIGKILL) and waits until it is gone. */
    @Override
    public void close() {
        kill(process);
    }

    /** Kills any process (SIGKILL) and waits until it is gone. */
    static void kill(Process process) {
        try {
            process.destroyForcibly().waitFor();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
