package io.layerskip.tests.cluster;

import java.io.IOException;
import java.io.OutputStream;
import java.lang.instrument.Instrumentation;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.jar.Attributes;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import net.bytebuddy.agent.builder.AgentBuilder;
import net.bytebuddy.asm.Advice;
import net.bytebuddy.matcher.ElementMatchers;

/**
 * Makes a TaskManager that cannot stand two tokens: one kills the process as soon as the model is
 * given it, as a crash in native code would, and one holds its pass up. The bundled model's golden
 * prompts and completions have neither.
 */
public final class PoisonAgent {

    /** A prompt with the token that kills. */
    static final String KILLS = "banking: x^x\n";

    /** A prompt with the token that hangs. */
    static final String HANGS = "banking: x~x\n";

    private PoisonAgent() {}

    /** Called by the JVM. */
    public static void premain(String arguments, Instrumentation instrumentation) {
        new AgentBuilder.Default()
                .disableClassFormatChanges()
                .type(ElementMatchers.named("io.layerskip.forward.LayerSkipModel"))
                .transform(
                        (builder, type, loader, module, domain) ->
                                builder.visit(
                                        Advice.to(Embedding.class)
                                                .on(ElementMatchers.named("embed"))))
                .installOn(instrumentation);
    }

    /** What is put at the beginning of LayerSkipModel.embed: it can use the JDK only. */
    static final class Embedding {

        private Embedding() {}

        @Advice.OnMethodEnter
        static void enter(@Advice.Argument(0) int token) throws IOException, InterruptedException {
            if (token == 64) {
                new ProcessBuilder("kill", "-9", Long.toString(ProcessHandle.current().pid()))
                        .start()
                        .waitFor();
            }
            // Longer than a pass may take where this is used, whoever interrupts it.
            long end = System.nanoTime() + 20_000_000_000L;
            while (token == 96 && System.nanoTime() < end) {
                Thread.onSpinWait();
            }
        }
    }

    /**
     * Writes a jar that names the agent, which is found on the class path of the tests.
     *
     * @return the JVM's options that start it
     */
    static List<String> options(Path folder) throws IOException {
        Manifest manifest = new Manifest();
        manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
        manifest.getMainAttributes().putValue("Premain-Class", PoisonAgent.class.getName());
        Path jar = Files.createDirectories(folder).resolve("poison-agent.jar");
        try (OutputStream file = Files.newOutputStream(jar)) {
            new JarOutputStream(file, manifest).close();
        }
        return List.of("-javaagent:" + jar);
    }

    /** The jar of what it changes code with. */
    static Path library() throws IOException {
        return Path.of(
                AgentBuilder.class.getProtectionDomain().getCodeSource().getLocation().getPath());
    }
}
